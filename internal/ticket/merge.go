package ticket

import (
	"context"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

// Merge moves the conversation of a ticket into another one of the same customer, in the order of time, its description as a
// message, and closes it for good. AI answers that are being written in either are fenced. The caller has decided that the
// actor may see both.
//
// It returns the other ticket. It returns NotFound, InvalidTransition for a ticket that was merged already, TicketClosed when the
// other one is closed, and ValidationFailed when the other one is the same or another customer's.
func (s *Service) Merge(ctx context.Context, actor auth.Actor, from, into uuid.UUID) (ticket View, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.lockToMerge(ctx, from, into); err != nil {
			return err
		}
		for _, id := range []uuid.UUID{from, into} {
			if _, err := s.store.SupersedeAIResponses(ctx, sqlc.SupersedeAIResponsesParams{
				TicketID: id, ActorKind: actor.Kind(), ActorID: &actor.ID, Answers: true,
			}); err != nil {
				return err
			}
		}
		taken, err := s.store.ListTakenTimes(ctx, sqlc.ListTakenTimesParams{FromID: from, IntoID: into})
		if err != nil {
			return err
		}
		for _, id := range taken {
			if err := s.store.ShiftMessage(ctx, sqlc.ShiftMessageParams{ID: id, FromID: from, IntoID: into}); err != nil {
				return err
			}
		}
		merged, err := s.store.MergeTicket(store.Last(ctx), sqlc.MergeTicketParams{
			FromID: from, IntoID: into, MessageID: uuid7.New(), ChangeID: uuid7.New(),
			CallerID: actor.ID, ActorKind: actor.Kind(), AllCustomers: actor.SeesCustomers(),
		})
		ticket = View(merged)
		return err
	})
	return ticket, err
}

// lockToMerge locks two tickets, and returns why one cannot be merged into the other.
func (s *Service) lockToMerge(ctx context.Context, from, into uuid.UUID) error {
	locked, err := s.store.LockTickets(ctx, []uuid.UUID{from, into})
	if err != nil {
		return err
	}
	tickets := make(map[uuid.UUID]sqlc.Ticket, len(locked))
	for _, t := range locked {
		tickets[t.ID] = t
	}
	source, there := tickets[from]
	if !there {
		return store.NotFound(store.ErrNoRows)
	}
	target, there := tickets[into]
	if !there || from == into || target.UserID != source.UserID {
		return apperr.New(apperr.ValidationFailed, "A ticket is merged into another one of the same customer.").
			At(apperr.Field{Pointer: "/into", Code: apperr.NotAllowed})
	}
	if source.MergedInto != nil {
		return apperr.New(apperr.InvalidTransition, "The ticket was merged into another one already.")
	}
	if target.Status == sqlc.TicketStatusClosed {
		return ErrClosed()
	}
	return nil
}
