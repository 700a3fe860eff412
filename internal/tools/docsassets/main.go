// Command docsassets builds the gzipped assets of the API documentation pages from the npm packages that
// package-lock.json pins. It runs from the directory internal/tools:
//
//	go run ./docsassets node_modules ../httpapi/docs/assets
//
// Its output depends only on the packages: gzip headers have neither a time nor a name. It keeps files whose content is
// already correct, so that a newer Go release with another compressor does not rewrite them, and removes files that it
// no longer produces.
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// licenseFile collects the license texts of all embedded packages, because redistribution requires them.
const licenseFile = "third-party-licenses.txt"

// asset is one file of an npm package that the pages need.
type asset struct {
	name   string // file name in the output directory, without .gz
	source string // path below node_modules
	edits  []edit
}

// edit replaces a text that occurs exactly once: an upgrade that moves it must fail the build, not slip through.
type edit struct{ from, to string }

var assets = []asset{
	{name: "swagger-ui.css", source: "swagger-ui-dist/swagger-ui.css"},
	{name: "swagger-ui-bundle.js", source: "swagger-ui-dist/swagger-ui-bundle.js"},
	{
		name: "redoc.standalone.js", source: "redoc/bundles/redoc.standalone.js",
		// Redoc loads its vendor's logo from a CDN and hides it when that fails. An empty image is hidden in the same
		// way, without a request from the reader's browser.
		edits: []edit{{from: `"https://cdn.redoc.ly/redoc/logo-mini.svg"`, to: `"data:,"`}},
	},
}

var licenses = []string{
	"swagger-ui-dist/NOTICE",
	"swagger-ui-dist/LICENSE",
	"swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt",
	"redoc/LICENSE",
	"redoc/bundles/redoc.standalone.js.LICENSE.txt",
	"redoc/bundles/cfb294d7f6536ffa8d42.worker.js.LICENSE.txt",
}

// sourceMapComment matches the reference to a source map, which is not served.
var sourceMapComment = regexp.MustCompile(`\s*(//# sourceMappingURL=\S+|/\*# sourceMappingURL=\S+\s*\*/)\s*$`)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: docsassets NODE_MODULES OUTPUT_DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "docsassets:", err)
		os.Exit(1)
	}
}

func run(modules, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var keep []string
	for _, a := range assets {
		content, err := a.build(modules)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(out, a.name+".gz"), content); err != nil {
			return err
		}
		keep = append(keep, a.name+".gz")
	}
	content, err := collectLicenses(modules)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(out, licenseFile+".gz"), content); err != nil {
		return err
	}
	return removeOthers(out, append(keep, licenseFile+".gz"))
}

func (a asset) build(modules string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(modules, a.source))
	if err != nil {
		return nil, fmt.Errorf("%w (run npm ci in internal/tools first)", err)
	}
	for _, e := range a.edits {
		if n := bytes.Count(content, []byte(e.from)); n != 1 {
			return nil, fmt.Errorf("%s: %s occurs %d times, want once", a.source, e.from, n)
		}
		content = bytes.Replace(content, []byte(e.from), []byte(e.to), 1)
	}
	return append(sourceMapComment.ReplaceAll(content, nil), '\n'), nil
}

func collectLicenses(modules string) ([]byte, error) {
	var all bytes.Buffer
	for _, path := range licenses {
		text, err := os.ReadFile(filepath.Join(modules, path))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&all, "==== %s ====\n\n%s\n\n", path, bytes.TrimSpace(text))
	}
	return all.Bytes(), nil
}

// write compresses content into path unless path holds the same content already.
func write(path string, content []byte) error {
	if old, err := read(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := zip.Write(content); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes, %d packed\n", filepath.Base(path), len(content), packed.Len())
	return os.WriteFile(path, packed.Bytes(), 0o644)
}

func read(path string) ([]byte, error) {
	packed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	if !zip.ModTime.IsZero() || zip.Name != "" {
		return nil, fmt.Errorf("%s: the gzip header names a time or a file", path)
	}
	return io.ReadAll(zip)
}

func removeOthers(dir string, keep []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !slices.Contains(keep, e.Name()) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
