package httpapi

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"

	"github.com/labstack/echo/v4"
)

// recorder keeps a response instead of sending it. It has the headers that the handler sets and no others.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

var _ http.ResponseWriter = (*recorder)(nil)

// Header is the handler's to fill.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader keeps the status.
func (r *recorder) WriteHeader(status int) { r.status = status }

// Write keeps a part of the body.
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// record runs the handler and returns its response, of which nothing has been sent.
func record(c echo.Context, next echo.HandlerFunc) (*recorder, error) {
	response := c.Response()
	defer c.SetResponse(response)
	r := &recorder{header: make(http.Header)}
	c.SetResponse(echo.NewResponse(r, c.Echo()))
	return r, next(c)
}

// send sends a response that was recorded, in addition to the headers that the request has been given already.
func send(c echo.Context, status int, header http.Header, body []byte) error {
	maps.Copy(c.Response().Header(), header)
	c.Response().WriteHeader(status)
	if len(body) == 0 {
		return nil
	}
	if _, err := c.Response().Write(body); err != nil {
		return fmt.Errorf("httpapi: send the response: %w", err)
	}
	return nil
}
