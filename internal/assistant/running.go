package assistant

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
)

// OpenRunning reads a ticket's running answer, to any turn, from its beginning. It never starts one. It returns
// NotFound, and eventlog.ErrUpToDate when none is running. The caller closes the Reader.
func (s *Service) OpenRunning(ctx context.Context, actor auth.Actor, ticketID uuid.UUID) (*Reader, error) {
	id, err := s.runningIn(ctx, actor, ticketID)
	if err != nil {
		return nil, err
	}
	return s.OpenResponse(ctx, actor, id, eventlog.EventID{})
}

// CancelRunning ends a ticket's running answer, if there is one, as Cancel does. It returns NotFound.
func (s *Service) CancelRunning(ctx context.Context, actor auth.Actor, ticketID uuid.UUID) error {
	id, err := s.runningIn(ctx, actor, ticketID)
	if errors.Is(err, eventlog.ErrUpToDate) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.Cancel(ctx, actor, id)
	return err
}

// Regenerate starts another answer to the ticket's turn and reads it, or reads the ticket's running answer. It returns the errors
// of Start. The caller closes the Reader.
func (s *Service) Regenerate(ctx context.Context, actor auth.Actor, ticketID uuid.UUID) (*Reader, error) {
	response, _, err := s.Start(ctx, actor, ticketID, Request{Regenerate: true})
	if err != nil {
		return nil, err
	}
	return s.resume(ctx, response, eventlog.EventID{})
}

// runningIn returns the id of a ticket's running answer. It returns the errors of OpenRunning.
func (s *Service) runningIn(ctx context.Context, actor auth.Actor, ticketID uuid.UUID) (uuid.UUID, error) {
	id, err := s.store.FindStreamingAIResponse(ctx, sqlc.FindStreamingAIResponseParams{
		TicketID: ticketID, ActorID: actor.ID, Staff: actor.IsStaff(),
	})
	if err == nil && id == uuid.Nil {
		return uuid.Nil, eventlog.ErrUpToDate
	}
	return id, store.NotFound(err)
}
