// Package docs serves the API's documentation: a home page, Swagger UI to try the API, Redoc to read it, guides, a page
// for each problem, and the contract itself as YAML and JSON. Everything is embedded: the pages load nothing from other
// origins, and comply with a Content-Security-Policy without inline scripts.
package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Site is the documentation of one contract. It is an [http.Handler] that is immutable and safe for concurrent use.
type Site struct {
	resources map[string]*resource
	// index is the home page for programs.
	index *resource
}

// Contract is the contract that the documentation describes.
type Contract struct {
	Title, Version, Description string
	JSON, YAML                  []byte
}

// New prepares the documentation of a contract. It fails when the description does not explain exactly these problems. The rest of
// the contract is read when somebody requests a page that needs it.
func New(c Contract, problems []Problem) (*Site, error) {
	groups, err := explain(c.Description, problems)
	if err != nil {
		return nil, err
	}
	guides, err := readGuides(c.Description)
	if err != nil {
		return nil, err
	}

	s := &Site{resources: make(map[string]*resource)}
	urls, err := s.addAssets()
	if err != nil {
		return nil, err
	}
	common := site{
		Title: c.Title, Version: c.Version, Assets: urls,
		paths:    sync.OnceValue(func() string { return pathsOf(c.YAML) }),
		document: sync.OnceValues(func() (*document, error) { return readDocument(c.JSON) }),
	}
	for _, p := range allPages(groups, guides) {
		p.site = common
		s.addText("/"+p.Name, "text/html; charset=utf-8", p.policy, p.render)
	}
	s.addText("/openapi.json", "application/json", sealedPolicy, constant(c.JSON))
	// RFC 9512 registers application/yaml without a charset parameter: it is always UTF-8.
	s.addText("/openapi.yaml", "application/yaml", sealedPolicy, constant(c.YAML))
	if err := s.addIndex(c.Title, c.Version); err != nil {
		return nil, err
	}
	return s, nil
}

// pathsOf returns the paths in the contract's order, which the JSON has lost.
func pathsOf(specYAML []byte) string {
	var paths []string
	for line := range bytes.Lines(specYAML) {
		path, isPath := bytes.CutPrefix(line, []byte("  /"))
		if path, isKey := bytes.CutSuffix(path, []byte(":\n")); isPath && isKey {
			paths = append(paths, "/"+string(path))
		}
	}
	return strings.Join(paths, " ")
}

// addIndex adds the home page for programs: relative links to everything.
func (s *Site) addIndex(title, version string) error {
	index, err := json.MarshalIndent(map[string]any{
		"name": title, "version": version, "contract": "openapi.json", "documentation": "docs", "reference": "redoc",
		"guides": guidesName, "problems": problemsName, "liveness": "livez", "readiness": "readyz",
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("docs: the index: %w", err)
	}
	s.index = newText("application/json", sealedPolicy, constant(append(index, '\n')))
	return nil
}

// Routes lists every path of the site, sorted and without patterns, so that a router can register each of them for GET
// and HEAD and render its own 404 for others.
func (s *Site) Routes() []string {
	paths := make([]string, 0, len(s.resources))
	for path := range s.resources {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// ServeHTTP serves GET and HEAD for the paths in [Site.Routes]. It responds with 304 for content that the client has,
// 405 for other methods and 404 for other paths.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	res, ok := s.resources[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "/" {
		w.Header().Add("Vary", "Accept")
		if !strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "text/html") {
			res = s.index
		}
	}
	res.serve(w, r)
}
