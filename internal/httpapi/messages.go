package httpapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/api"
)

func messagesPath(ticketID uuid.UUID) string {
	return ticketsPath + "/" + ticketID.String() + "/messages"
}

// CreateMessage adds a message by the caller.
func (s *Server) CreateMessage(
	ctx context.Context, r api.CreateMessageRequestObject,
) (api.CreateMessageResponseObject, error) {
	message, err := s.tickets.AddMessage(ctx, actorFrom(ctx), r.TicketID, r.Body.Content)
	if err != nil {
		return nil, err
	}
	return api.CreateMessage201JSONResponse{Body: toMessage(message)}, nil
}

// ListMessages returns a page of a ticket's messages.
func (s *Server) ListMessages(
	ctx context.Context, r api.ListMessagesRequestObject,
) (api.ListMessagesResponseObject, error) {
	actor, path := actorFrom(ctx), messagesPath(r.TicketID)
	page, err := s.cursors.page(actor, path, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	messages, next, err := s.tickets.ListMessages(ctx, actor, r.TicketID, page)
	return api.ListMessages200JSONResponse{
		Body:    toMessages(messages),
		Headers: api.ListMessages200ResponseHeaders{Link: s.cursors.link(actor, path, page, next)},
	}, err
}
