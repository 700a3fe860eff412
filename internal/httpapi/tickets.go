package httpapi

import (
	"context"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/ticket"
)

const ticketsPath = "/tickets"

// CreateTicket opens a ticket for the caller.
func (s *Server) CreateTicket(
	ctx context.Context, r api.CreateTicketRequestObject,
) (api.CreateTicketResponseObject, error) {
	actor := actorFrom(ctx)
	created, isNew, err := s.Tickets.Open(ctx, actor, fromCreateTicketRequest(*r.Body))
	if err != nil {
		return nil, err
	}
	t := ticket.View{Ticket: created}
	body, location := toTicket(actor)(t), ticketsPath+"/"+created.ID.String()
	if !isNew {
		return api.CreateTicket200JSONResponse{
			Body: body, Headers: api.CreateTicket200ResponseHeaders{Location: location, ETag: ticketTag(actor, t)},
		}, nil
	}
	return api.CreateTicket201JSONResponse{
		Body: body, Headers: api.CreateTicket201ResponseHeaders{Location: location, ETag: ticketTag(actor, t)},
	}, nil
}

// ListTickets returns a page of tickets.
func (s *Server) ListTickets(
	ctx context.Context, r api.ListTicketsRequestObject,
) (api.ListTicketsResponseObject, error) {
	actor := actorFrom(ctx)
	page, err := s.cursors.Page(actor.ID, ticketsPath, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	tickets, next, err := s.Tickets.List(ctx, actor, page)
	if err != nil {
		return nil, err
	}
	return api.ListTickets200JSONResponse{
		Body:    convertAll(tickets, toTicket(actor)),
		Headers: api.ListTickets200ResponseHeaders{Link: s.cursors.Link(actor.ID, ticketsPath, page, next)},
	}, nil
}

// GetTicket returns a ticket with its latest messages.
func (s *Server) GetTicket(ctx context.Context, r api.GetTicketRequestObject) (api.GetTicketResponseObject, error) {
	actor := actorFrom(ctx)
	t, messages, err := s.Tickets.Get(ctx, actor, r.TicketID)
	if err != nil {
		return nil, err
	}
	return api.GetTicket200JSONResponse{
		Body:    toTicketWithMessages(actor, t, messages),
		Headers: api.GetTicket200ResponseHeaders{ETag: ticketTag(actor, t, messages...)},
	}, nil
}

// RedactTicket removes a ticket's title and description.
func (s *Server) RedactTicket(ctx context.Context, r api.RedactTicketRequestObject) (api.RedactTicketResponseObject, error) {
	actor := actorFrom(ctx)
	t, err := s.Tickets.RedactTicket(ctx, actor, r.TicketID)
	if err != nil {
		return nil, err
	}
	return api.RedactTicket200JSONResponse{
		Body: toTicket(actor)(t), Headers: api.RedactTicket200ResponseHeaders{ETag: ticketTag(actor, t)},
	}, nil
}

// HandOffTicket hands a ticket off to humans.
func (s *Server) HandOffTicket(
	ctx context.Context, r api.HandOffTicketRequestObject,
) (api.HandOffTicketResponseObject, error) {
	actor := actorFrom(ctx)
	t, err := s.Tickets.HandOff(ctx, actor, r.TicketID, fromHandOffTicketRequest(*r.Body))
	if err != nil {
		return nil, err
	}
	return api.HandOffTicket200JSONResponse{
		Body:    toTicket(actor)(t),
		Headers: api.HandOffTicket200ResponseHeaders{ETag: ticketTag(actor, t)},
	}, nil
}

// UpdateTicket changes a ticket.
func (s *Server) UpdateTicket(
	ctx context.Context, r api.UpdateTicketRequestObject,
) (api.UpdateTicketResponseObject, error) {
	actor := actorFrom(ctx)
	t, err := s.Tickets.Update(ctx, actor, r.TicketID, fromUpdateTicketRequest(*r.Body), ifMatch(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	return api.UpdateTicket200JSONResponse{
		Body:    toTicket(actor)(t),
		Headers: api.UpdateTicket200ResponseHeaders{ETag: ticketTag(actor, t)},
	}, nil
}
