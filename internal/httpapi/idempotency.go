package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/idempotency"
)

const headerIdempotencyReplayed = "Idempotency-Replayed"

// once runs the handler in the transaction that stores the request's key, and sends the response after the commit. A
// repeated request gets the stored response.
func (s *Server) once(c echo.Context, op *contract.Operation, next echo.HandlerFunc) error {
	r := c.Request()
	defer c.SetRequest(r)
	ctx := r.Context()
	request := idempotency.Request{
		Principal: actorFrom(ctx).ID, Operation: op.ID, Key: r.Header.Get(contract.HeaderIdempotencyKey),
		Target: r.URL.RequestURI(), Body: contract.Text(r.Body),
	}
	if id, err := uuid.Parse(c.Param("ticket_id")); err == nil {
		request.TicketID = &id
	}
	response, replayed, err := s.Keys.Do(ctx, request, func(ctx context.Context) (idempotency.Response, error) {
		c.SetRequest(r.WithContext(ctx))
		recorded, err := record(c, next)
		response := idempotency.Response{Status: recorded.status, Header: recorded.header, Body: recorded.body.Bytes()}
		if request.TicketID == nil {
			response.TicketID = ticketIn(response.Body)
		}
		return response, err
	})
	if err != nil {
		return err
	}
	if replayed {
		c.Response().Header().Set(headerIdempotencyReplayed, "true")
	}
	return s.send(c, response.Status, http.Header(response.Header), response.Body)
}

// ticketIn returns the id of the ticket in a response, or of the ticket that the returned thing belongs to; nil if
// there is none.
func ticketIn(body []byte) *uuid.UUID {
	var shown struct {
		ID       *uuid.UUID `json:"id"`
		TicketID *uuid.UUID `json:"ticket_id"`
	}
	if json.Unmarshal(body, &shown) != nil || shown.TicketID == nil {
		return shown.ID
	}
	return shown.TicketID
}
