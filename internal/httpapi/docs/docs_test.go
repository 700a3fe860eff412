package docs_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/httpapi/docs"
)

const (
	specYAML = "openapi: 3.1.0\ninfo: {title: 'Desk <b>', version: 1.2.3}\npaths: {}\n"

	lostItem = "- [`lost`](problems/lost) (404): It is *lost* & <b>gone</b>.\n  *Look for `<it>` again.*\n"
	lateItem = "- [`too_late`](problems/too_late) (503): It came late.\n  *Be early.*\n"
	errors   = "### Beside it\n\n## Errors\n\n### Things\n\n" + lostItem
	times    = "\n### Times\n\n" + lateItem
	rules    = "\n## Chat clients\n\nThey stream.\n\n## Events\n\nThey happen.\n\n## Other rules\n\nBe *kind*.\n\n## Streaming\n\nIt streams.\n"
)

var (
	lost = docs.Problem{Code: "lost", Title: "Lost <i>", Status: http.StatusNotFound}
	late = docs.Problem{Code: "too_late", Title: "Too late", Status: http.StatusServiceUnavailable, Retryable: true}

	spec = contractWith(errors + times + rules)
)

func contractWith(description string) docs.Contract {
	return docs.Contract{
		Title: "Desk <b>", Version: "1.2.3", Description: description,
		JSON: []byte(`{"openapi":"3.1.0","info":{"title":"Desk <b>"},"paths":{}}`), YAML: []byte(specYAML),
	}
}

func newSite(t *testing.T) *docs.Site {
	t.Helper()
	site, err := docs.New(spec, []docs.Problem{late, lost})
	require.NoError(t, err)
	return site
}

// get sends one request. header has alternating names and values.
func get(t *testing.T, site http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for pair := range slices.Chunk(header, 2) {
		req.Header.Add(pair[0], pair[1])
	}
	rec := httptest.NewRecorder()
	site.ServeHTTP(rec, req)
	res := rec.Result()
	t.Cleanup(func() { require.NoError(t, res.Body.Close()) })
	return res
}

func read(t *testing.T, r io.Reader) []byte {
	t.Helper()
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	return content
}

func TestPageOfAProblemFailsWhenTheContractIsNotJSON(t *testing.T) {
	t.Parallel()
	c := spec
	c.JSON = c.YAML
	site, err := docs.New(c, []docs.Problem{late, lost})
	require.NoError(t, err)
	require.Equal(t, http.StatusInternalServerError, get(t, site, http.MethodGet, "/problems/lost").StatusCode)
	require.Equal(t, http.StatusOK, get(t, site, http.MethodGet, "/problems").StatusCode)
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	routes := newSite(t).Routes()
	require.True(t, slices.IsSorted(routes))
	pages := []string{
		"/", "/docs", "/guides", "/guides/acting-for-customers", "/guides/ai-requests", "/guides/customer-data", "/guides/desk", "/guides/drafts", "/guides/errors", "/guides/quickstart", "/guides/react",
		"/guides/search", "/guides/shop", "/guides/staff-inbox", "/guides/streaming", "/guides/webhooks", "/guides/your-own-copy", "/openapi.json",
		"/openapi.yaml", "/problems", "/problems/lost", "/problems/too_late", "/redoc", "/rules/chat-clients", "/rules/events", "/rules/other-rules",
		"/rules/streaming",
	}
	require.Subset(t, routes, pages)
	asset := regexp.MustCompile(`^/docs/assets/[a-z-]+(\.standalone)?\.[0-9a-f]{12}\.(css|js|svg|txt)$`)
	for _, route := range routes {
		if !slices.Contains(pages, route) {
			require.Regexp(t, asset, route)
		}
	}
}

// TestEveryRoute checks rules of every response: both encodings have the same content with different strong ETags, a
// matching If-None-Match returns 304, and HEAD equals GET without a body.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	for _, route := range site.Routes() {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			plain := get(t, site, http.MethodGet, route)
			content := read(t, plain.Body)
			require.Equal(t, http.StatusOK, plain.StatusCode)
			require.Empty(t, plain.Header.Get("Content-Encoding"))
			require.Equal(t, strconv.Itoa(len(content)), plain.Header.Get("Content-Length"))
			require.Contains(t, plain.Header.Values("Vary"), "Accept-Encoding")
			require.NotEmpty(t, plain.Header.Get("Content-Type"))
			requireSafe(t, plain.Header)

			zipped := get(t, site, http.MethodGet, route, "Accept-Encoding", "br, gzip")
			require.Equal(t, "gzip", zipped.Header.Get("Content-Encoding"))
			zip, err := gzip.NewReader(zipped.Body)
			require.NoError(t, err)
			require.True(t, zip.ModTime.IsZero(), "a time in the gzip header would differ between replicas")
			require.True(t, bytes.Equal(content, read(t, zip)), "the encodings differ in content")
			require.NotEqual(t, plain.Header.Get("Etag"), zipped.Header.Get("Etag"))

			for _, answer := range []*http.Response{plain, zipped} {
				tag := answer.Header.Get("Etag")
				require.Regexp(t, `^"[0-9a-f]{32}(-gzip)?"$`, tag)
				encoding := answer.Header.Get("Content-Encoding")
				same := get(t, site, http.MethodGet, route, "Accept-Encoding", encoding, "If-None-Match", `"other", W/`+tag)
				require.Equal(t, http.StatusNotModified, same.StatusCode)
				require.Empty(t, read(t, same.Body))
				require.Equal(t, tag, same.Header.Get("Etag"))
				require.Equal(t, answer.Header.Get("Cache-Control"), same.Header.Get("Cache-Control"))

				head := get(t, site, http.MethodHead, route, "Accept-Encoding", encoding)
				require.Equal(t, http.StatusOK, head.StatusCode)
				require.Empty(t, read(t, head.Body))
				require.Equal(t, answer.Header, head.Header)
			}
		})
	}
}

func requireSafe(t *testing.T, h http.Header) {
	t.Helper()
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	require.Equal(t, "DENY", h.Get("X-Frame-Options"))
	require.Equal(t, "no-referrer", h.Get("Referrer-Policy"))
	policy := h.Get("Content-Security-Policy")
	for _, directive := range []string{"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		require.Contains(t, policy, directive)
	}
	require.NotContains(t, policy, "script-src 'self' 'unsafe")
	require.NotContains(t, policy, "http", "a policy must not name another origin")
}

func TestCaching(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	for _, route := range site.Routes() {
		want := "no-cache"
		if strings.HasPrefix(route, "/docs/assets/") {
			want = "public, max-age=31536000, immutable"
		}
		require.Equal(t, want, get(t, site, http.MethodHead, route).Header.Get("Cache-Control"), route)
	}
}

func TestContractIsServedAsItIs(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	asJSON := get(t, site, http.MethodGet, "/openapi.json")
	require.Equal(t, string(spec.JSON), string(read(t, asJSON.Body)))
	require.Equal(t, "application/json", asJSON.Header.Get("Content-Type"))
	asYAML := get(t, site, http.MethodGet, "/openapi.yaml")
	require.Equal(t, specYAML, string(read(t, asYAML.Body)))
	require.Equal(t, "application/yaml", asYAML.Header.Get("Content-Type"))
}

// TestPagesReferToServedFilesOnly also checks that a page has no inline script and loads nothing from other origins.
func TestPagesReferToServedFilesOnly(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	reference := regexp.MustCompile(`(?:src|href)="([^"]*)"`)
	script := regexp.MustCompile(`<script[^>]*>[^<]`)
	for _, page := range []string{
		"/", "/docs", "/redoc", "/guides", "/guides/quickstart", "/guides/shop", "/guides/acting-for-customers", "/guides/streaming",
		"/guides/react", "/guides/errors", "/guides/ai-requests", "/guides/customer-data", "/guides/desk", "/guides/drafts", "/guides/search", "/guides/staff-inbox", "/guides/webhooks", "/guides/your-own-copy", "/rules/other-rules",
		"/problems", "/problems/lost", "/problems/too_late",
	} {
		res := get(t, site, http.MethodGet, page, "Accept", "text/html,*/*;q=0.8")
		html := string(read(t, res.Body))
		require.Equal(t, "text/html; charset=utf-8", res.Header.Get("Content-Type"))
		require.NotRegexp(t, script, html)
		require.Contains(t, html, "Desk &lt;b&gt;", "the title is text, not markup")
		references := reference.FindAllStringSubmatch(html, -1)
		require.NotEmpty(t, references)
		for _, ref := range references {
			where, _, _ := strings.Cut(ref[1], "#")
			require.Contains(t, append(site.Routes(), "/livez", "/readyz"), path.Join(path.Dir(page), where), page)
		}
	}
}

func TestFirstPageIsForBrowsersAndForPrograms(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "application/json": "application/json",
		"text/html,application/xhtml+xml,*/*;q=0.8": "text/html; charset=utf-8",
	} {
		res := get(t, site, http.MethodGet, "/", "Accept", accept)
		require.Equal(t, want, res.Header.Get("Content-Type"), accept)
		require.Equal(t, []string{"Accept", "Accept-Encoding"}, res.Header.Values("Vary"), accept)
	}
	var index map[string]string
	require.NoError(t, json.Unmarshal(read(t, get(t, site, http.MethodGet, "/").Body), &index))
	require.Equal(t, "1.2.3", index["version"])
	for _, name := range []string{"contract", "documentation", "reference", "guides", "problems"} {
		require.Contains(t, site.Routes(), "/"+index[name], name)
	}
}

func TestGuidesAndRulesArePages(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	list := string(read(t, get(t, site, http.MethodGet, "/guides").Body))
	require.Contains(t, list, `<a href="guides/quickstart">Quickstart</a>`)
	require.Contains(t, list, `<a href="rules/other-rules">Other rules</a>`)
	rules := string(read(t, get(t, site, http.MethodGet, "/rules/other-rules").Body))
	require.Contains(t, rules, "<p>Be <em>kind</em>.</p>")
	require.Contains(t, rules, `<a href="../guides" aria-current="page">Guides</a>`)
}

func TestPagesLoadNoImagesFromOtherOrigins(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	for _, route := range site.Routes() {
		if strings.HasSuffix(route, ".js") || strings.HasSuffix(route, ".css") {
			content := read(t, get(t, site, http.MethodGet, route).Body)
			require.False(t, bytes.Contains(content, []byte("cdn.redoc.ly")), route)
			require.False(t, bytes.Contains(content, []byte("fonts.googleapis")), route)
			require.False(t, bytes.Contains(content, []byte("sourceMappingURL=redoc")), route)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	for _, unknown := range []string{"/guides/", "/guides/unknown", "/rules", "/problems/", "/problems/unknown", "/problems/lost/", "/problems/LOST", "/docs/", "/docs/assets/", "/docs/assets/redoc.js", "/docs/../docs"} {
		require.Equal(t, http.StatusNotFound, get(t, site, http.MethodGet, unknown).StatusCode, unknown)
	}
	res := get(t, site, http.MethodPost, "/docs")
	require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
	require.Equal(t, "GET, HEAD", res.Header.Get("Allow"))
}

func TestAcceptEncoding(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	for header, want := range map[string]string{
		"":                           "",
		"identity":                   "",
		"br;q=1, deflate":            "",
		"gzip":                       "gzip",
		"GZip":                       "gzip",
		"x-gzip":                     "gzip",
		"br, gzip ; q=0.5":           "gzip",
		"*":                          "gzip",
		"*;q=0":                      "",
		"gzip;q=0":                   "",
		"gzip;q=0.000, *":            "",
		"*;q=0, gzip":                "gzip",
		"gzip;q=high":                "",
		"deflate, gzip;q=1.0, *;q=0": "gzip",
	} {
		res := get(t, site, http.MethodHead, "/docs", "Accept-Encoding", header)
		require.Equal(t, want, res.Header.Get("Content-Encoding"), "Accept-Encoding: %q", header)
	}
}
