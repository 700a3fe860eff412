// Package inbox lists and counts the tickets of all customers, for staff.
//
// Besides the errors that they name, all methods return the errors of store.Store.
package inbox

import (
	"context"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
)

const (
	// maxWalked bounds the tickets that a page reads when no index covers its filters, and the texts that match a
	// search.
	maxWalked = 1000
	// maxCounted is the number at which counting stops.
	maxCounted = 10_000
)

// Service is the inbox of staff.
type Service struct {
	store *store.Store
}

// NewService returns a Service on the store.
func NewService(s *store.Store) *Service { return &Service{store: s} }

// View is a ticket with the service's customer who opened it, if there is one and the actor may see them.
type View = sqlc.ListTicketsRow

// List returns a page of everybody's tickets that match the filter, and where the next page begins, if there may be
// one. It reads a bounded number of tickets, so a page may be short, or even empty, although the list continues. The
// caller has decided that the actor may see them.
func (s *Service) List(ctx context.Context, actor auth.Actor, f Filter, p page.Page) ([]View, *page.Position, error) {
	params, err := s.paramsOf(ctx, actor, f, p)
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.store.ListStaffTickets(ctx, params)
	if err != nil {
		return nil, nil, err
	}
	size := func(t sqlc.ListStaffTicketsRow) int {
		return len(t.Ticket.Title) + len(t.Ticket.Description) + len(t.Ticket.CustomFields)
	}
	rows, next := page.CutText(rows, p.Limit, size, f.position)
	if last := len(rows) - 1; last >= 0 {
		if next == nil && rows[last].Number == params.MaxWalked {
			at := f.position(rows[last])
			next = &at
		}
		if !rows[last].Fits {
			rows = rows[:last]
		}
	}
	views := make([]View, len(rows))
	for i, row := range rows {
		views[i] = View{Ticket: row.Ticket, ServiceID: row.ServiceID, ExternalID: row.ExternalID, DisplayName: row.DisplayName}
	}
	return views, next, nil
}

// paramsOf returns the filter as the query's parameters, with the tickets in which its text is found.
func (s *Service) paramsOf(
	ctx context.Context, actor auth.Actor, f Filter, p page.Page,
) (params sqlc.ListStaffTicketsParams, err error) {
	params = f.params(actor, p)
	if f.Text != "" {
		params.Found, err = s.store.ListTicketsByText(ctx, sqlc.ListTicketsByTextParams{Query: f.Text, MaxCandidates: maxWalked})
	}
	return params, err
}

// Counts are the numbers of tickets for the inbox, each at most maxCounted.
type Counts = sqlc.CountStaffTicketsRow

// Count counts tickets for an actor's inbox. The caller has decided that the actor may see them.
func (s *Service) Count(ctx context.Context, actor auth.Actor) (Counts, error) {
	return s.store.CountStaffTickets(ctx, sqlc.CountStaffTicketsParams{AssigneeID: actor.ID, MaxCounted: maxCounted})
}
