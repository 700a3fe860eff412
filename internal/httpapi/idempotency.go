package httpapi

import (
	"context"
	"fmt"
	"net/http"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/idempotency"
)

const (
	headerIdempotencyKey      = "Idempotency-Key"
	headerIdempotencyReplayed = "Idempotency-Replayed"

	// extensionIdempotency is where an operation says that keys have no effect on it, by the value none. Repeating it is
	// harmless, or its response must not be stored, or it takes too long for a transaction.
	extensionIdempotency = "x-idempotency"
	noIdempotency        = "none"
)

// keepsKeys reports whether a request with a key has its effect once.
func (op *operation) keepsKeys(doc *openapi3.Operation) (bool, error) {
	takesKeys := op.header(headerIdempotencyKey) != nil
	switch setting := doc.Extensions[extensionIdempotency]; {
	case setting != nil && setting != noIdempotency:
		return false, fmt.Errorf("%s is %v and may only be %s", extensionIdempotency, setting, noIdempotency)
	case !takesKeys || setting == noIdempotency:
		return false, nil
	case op.role == "" || op.streams():
		return false, fmt.Errorf("%s: %s is needed where nobody is known or a stream is sent", extensionIdempotency, noIdempotency)
	}
	return true, nil
}

// once runs the handler in one transaction with the memory of the request's key, and sends the response when that is
// committed. A request that was answered before gets the same response again.
func (s *Server) once(c echo.Context, op *operation, next echo.HandlerFunc) error {
	r := c.Request()
	defer c.SetRequest(r)
	ctx := r.Context()
	request := idempotency.Request{
		Principal: actorFrom(ctx).ID, Operation: op.id, Key: r.Header.Get(headerIdempotencyKey),
		Target: r.URL.RequestURI(), Body: textOf(r.Body),
	}
	response, replayed, err := s.keys.Do(ctx, request, func(ctx context.Context) (idempotency.Response, error) {
		c.SetRequest(r.WithContext(ctx))
		recorded, err := record(c, next)
		return idempotency.Response{
			Status: recorded.status, Header: recorded.header, Body: recorded.body.Bytes(),
		}, err
	})
	if err != nil {
		return err
	}
	if replayed {
		c.Response().Header().Set(headerIdempotencyReplayed, "true")
	}
	return s.send(c, response.Status, http.Header(response.Header), response.Body)
}
