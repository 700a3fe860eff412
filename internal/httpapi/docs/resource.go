package docs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

const (
	// revalidate lets a client keep a copy if it revalidates it each time.
	revalidate = "no-cache"
	// immutable is for paths with a hash of their content.
	immutable = "public, max-age=31536000, immutable"
)

// resource is one response. It is built on the first request, which keeps the server's start fast.
type resource struct {
	contentType  string
	cacheControl string
	policy       string // Content-Security-Policy
	content      func() (*content, error)
}

// content is a resource's compressed content, which nearly every client accepts. The uncompressed form is made once, on
// demand.
type content struct {
	packed []byte // gzip
	plain  func() ([]byte, error)
	hash   string // of packed; the base of the entity tags
}

func newContent(packed []byte) *content {
	sum := sha256.Sum256(packed)
	return &content{
		packed: packed, plain: sync.OnceValues(func() ([]byte, error) { return unpack(packed) }), hash: hex.EncodeToString(sum[:16]),
	}
}

// addText serves the result of text under path, compressed.
func (s *Site) addText(path, contentType, policy string, text func() ([]byte, error)) {
	s.resources[path] = newText(contentType, policy, text)
}

func newText(contentType, policy string, text func() ([]byte, error)) *resource {
	return &resource{
		contentType: contentType, cacheControl: revalidate, policy: policy,
		content: sync.OnceValues(func() (*content, error) {
			plain, err := text()
			if err != nil {
				return nil, err
			}
			packed, err := pack(plain)
			return newContent(packed), err
		}),
	}
}

// constant returns a function that returns the text.
func constant(text []byte) func() ([]byte, error) {
	return func() ([]byte, error) { return text, nil }
}

func (res *resource) serve(w http.ResponseWriter, r *http.Request) {
	made, err := res.content()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	zipped := acceptsGzip(r.Header.Values("Accept-Encoding"))
	// A strong tag identifies bytes, and the two encodings have different bytes.
	etag := `"` + made.hash + `"`
	if zipped {
		etag = `"` + made.hash + `-gzip"`
	}

	h := w.Header()
	h.Set("Etag", etag)
	h.Set("Cache-Control", res.cacheControl)
	h.Add("Vary", "Accept-Encoding")
	h.Set("Content-Security-Policy", res.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	if holds(r.Header.Values("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}

	body := made.packed
	if zipped {
		h.Set("Content-Encoding", "gzip")
	} else {
		if body, err = made.plain(); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
	}
	h.Set("Content-Type", res.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // If the write fails, the client is gone.
	}
}

// acceptsGzip reports whether an Accept-Encoding header (RFC 9110, section 12.5.3) allows gzip. An item for gzip takes
// precedence over one for everything.
func acceptsGzip(header []string) bool {
	everything := false
	for item := range strings.SplitSeq(strings.Join(header, ","), ",") {
		coding, params, _ := strings.Cut(item, ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return quality(params) > 0
		case "*":
			everything = quality(params) > 0
		}
	}
	return everything
}

// quality returns the weight of a header item. A missing weight counts as 1, a malformed one as 0.
func quality(params string) float64 {
	name, value, found := strings.Cut(params, "=")
	if !found || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return 0
	}
	return q
}

// holds reports whether an If-None-Match header names etag, by the weak comparison that RFC 9110 requires.
func holds(header []string, etag string) bool {
	for item := range strings.SplitSeq(strings.Join(header, ","), ",") {
		item = strings.TrimSpace(item)
		if item == "*" || strings.TrimPrefix(item, "W/") == etag {
			return true
		}
	}
	return false
}

// pack compresses content. The gzip header has no time, so equal content has equal entity tags on every replica.
func pack(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := zip.Write(content); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func unpack(packed []byte) ([]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(zip) // The archives are embedded at build time.
}
