package httpapi

import (
	"context"

	"github.com/supportbackend/support/gen/api"
)

const staffTicketsPath = "/staff/tickets"

// ListStaffTickets returns a page of everybody's tickets.
func (s *Server) ListStaffTickets(
	ctx context.Context, r api.ListStaffTicketsRequestObject,
) (api.ListStaffTicketsResponseObject, error) {
	actor, list := actorFrom(ctx), staffList(r.Params)
	filter, err := fromListStaffTicketsParams(actor, r.Params)
	if err != nil {
		return nil, err
	}
	page, err := s.cursors.Page(actor.ID, list, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	tickets, next, err := s.Inbox.List(ctx, actor, filter, page)
	if err != nil {
		return nil, err
	}
	return api.ListStaffTickets200JSONResponse{
		Body:    convertAll(tickets, toTicket(actor)),
		Headers: api.ListStaffTickets200ResponseHeaders{Link: s.cursors.Link(actor.ID, list, page, next)},
	}, nil
}

// CountStaffTickets counts tickets for the badges of an inbox.
func (s *Server) CountStaffTickets(
	ctx context.Context, _ api.CountStaffTicketsRequestObject,
) (api.CountStaffTicketsResponseObject, error) {
	counts, err := s.Inbox.Count(ctx, actorFrom(ctx))
	if err != nil {
		return nil, err
	}
	return api.CountStaffTickets200JSONResponse{Body: toStaffTicketCounts(counts)}, nil
}

// UpdateTickets makes one change in many tickets.
func (s *Server) UpdateTickets(ctx context.Context, r api.UpdateTicketsRequestObject) (api.UpdateTicketsResponseObject, error) {
	results, err := s.Tickets.UpdateMany(ctx, actorFrom(ctx), r.Body.TicketIDs, fromUpdateTicketsRequest(*r.Body))
	if err != nil {
		return nil, err
	}
	return api.UpdateTickets200JSONResponse(convertAll(results, toTicketResult(infoFrom(ctx).requestID))), nil
}

// MergeTicket merges a ticket into another one.
func (s *Server) MergeTicket(ctx context.Context, r api.MergeTicketRequestObject) (api.MergeTicketResponseObject, error) {
	actor := actorFrom(ctx)
	t, err := s.Tickets.Merge(ctx, actor, r.TicketID, r.Body.Into)
	if err != nil {
		return nil, err
	}
	return api.MergeTicket200JSONResponse{
		Body: toTicket(actor)(t), Headers: api.MergeTicket200ResponseHeaders{ETag: ticketTag(actor, t)},
	}, nil
}
