package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"
)

// recorder keeps a response instead of sending it. It holds only the headers that the handler sets.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

var _ http.ResponseWriter = (*recorder)(nil)

// Header returns the headers for the handler to fill.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader keeps the status.
func (r *recorder) WriteHeader(status int) { r.status = status }

// Write appends to the body.
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// record runs the handler and returns its response without sending it.
func record(c echo.Context, next echo.HandlerFunc) (*recorder, error) {
	response := c.Response()
	defer c.SetResponse(response)
	r := &recorder{header: make(http.Header)}
	c.SetResponse(echo.NewResponse(r, c.Echo()))
	err := next(c)
	if r.header.Get(echo.HeaderContentType) == echo.MIMEApplicationJSON {
		encoded := r.body.Len()
		if plain := unescapeHTML(r.body.Bytes()); len(plain) < encoded {
			r.body = *bytes.NewBuffer(bytes.Clone(plain)) // A copy, to release the space of the escapes.
		}
	}
	return r, err
}

// unescapeHTML replaces the escapes of <, > and & in JSON text. The generated code escapes them for JSON inside HTML,
// where ours never is. It changes the text in place and returns the shorter slice.
func unescapeHTML(text []byte) []byte {
	kept := text[:0]
	for len(text) > 0 {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			return append(kept, text...)
		}
		kept = append(kept, text[:i]...)
		text = text[i:]
		if plain, escaped := htmlEscapes[string(text[:min(6, len(text))])]; escaped {
			kept = append(kept, plain)
			text = text[6:]
			continue
		}
		kept = append(kept, text[:2]...) // An escaped backslash escapes nothing after it.
		text = text[2:]
	}
	return kept
}

var htmlEscapes = map[string]byte{`\u003c`: '<', `\u003e`: '>', `\u0026`: '&'}

// encodeJSON encodes a value on one line, without HTML escapes.
func encodeJSON(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	return unescapeHTML(text), err
}
