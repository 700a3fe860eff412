package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// recorder keeps a response instead of sending it. It holds only the headers that the handler sets.
type recorder struct {
	status int
	header http.Header
	body   []byte
}

var _ http.ResponseWriter = (*recorder)(nil)

// Header returns the headers for the handler to fill.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader keeps the status.
func (r *recorder) WriteHeader(status int) { r.status = status }

// Write appends to the body.
func (r *recorder) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)
	return len(p), nil
}

// record runs the handler and returns its response without sending it.
func record(c echo.Context, next echo.HandlerFunc) (*recorder, error) {
	response := c.Response()
	defer c.SetResponse(response)
	r := &recorder{header: make(http.Header)}
	c.SetResponse(echo.NewResponse(r, c.Echo()))
	return r, next(c)
}
