package assistant

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/ticket"
)

// maxPage bounds the events of an EventPage.
const maxPage = 1000

// List returns a page of a ticket's responses, newest first, and where the next page begins, if there is one. It returns
// NotFound.
func (s *Service) List(
	ctx context.Context, actor auth.Actor, ticketID uuid.UUID, p page.Page,
) ([]sqlc.AIResponse, *page.Position, error) {
	if _, err := ticket.Find(ctx, s.store, actor, ticketID); err != nil {
		return nil, nil, err
	}
	size := func(r sqlc.AIResponse) int {
		if r.Content == nil {
			return 0
		}
		return len(*r.Content)
	}
	return page.ReadText(p, func(before page.Position, limit int32) ([]sqlc.AIResponse, error) {
		return s.store.ListAIResponsesByTicket(ctx, sqlc.ListAIResponsesByTicketParams{
			TicketID: ticketID, Staff: actor.IsStaff(), BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
		})
	}, size, func(r sqlc.AIResponse) page.Position { return page.At(r.CreatedAt, r.ID) })
}

// EventPage is a page of a response's events, for readers that poll.
type EventPage struct {
	// Events are in order, without a Start.
	Events []eventlog.Event
	// Last is the event after which the next page begins.
	Last eventlog.EventID
	// Ended means that no event comes after Last.
	Ended bool
}

// Events returns the events of a response after one of them, all of them for the number 0. If there are none yet, it
// waits. It returns NotFound.
func (s *Service) Events(
	ctx context.Context, actor auth.Actor, after eventlog.EventID, wait time.Duration,
) (EventPage, error) {
	events := EventPage{Last: after}
	reader, err := s.OpenResponse(ctx, actor, after.ResponseID, after)
	if errors.Is(err, eventlog.ErrUpToDate) {
		events.Ended = true
		return events, nil
	}
	if err != nil {
		return EventPage{}, err
	}
	defer reader.Close()
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for len(events.Events) < maxPage {
		entry, err := reader.Next(waiting)
		switch {
		case errors.Is(err, io.EOF), err != nil && ctx.Err() == nil && waiting.Err() != nil:
			return events, nil
		case err != nil:
			return EventPage{}, err
		}
		if _, isStart := entry.Event.(eventlog.Start); isStart {
			continue
		}
		events.Events = append(events.Events, entry.Event)
		events.Last, events.Ended = eventlog.IDOf(entry.Event), eventlog.IsEnd(entry.Event)
		cancel() // Return what there is; do not wait for more.
	}
	return events, nil
}
