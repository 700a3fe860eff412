package account

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
)

const (
	erasureInterval = time.Minute
	// erasedAtOnce is how long a request erases. The background task erases the rest.
	erasedAtOnce = 2 * time.Second
	// maxErased bounds the rows that one statement deletes, and maxErasedTickets its tickets, which take other rows
	// along.
	maxErased, maxErasedTickets = 200, 50
	// maxErasures bounds the accounts per run of the task.
	maxErasures = 100
	// settled is how long requests that were admitted before an account was closed may still run.
	settled = time.Minute
)

// Erase closes a customer's account for good and erases their data: their tickets with everything in them, their names
// and addresses, and everything else that names them. A background task on any server erases what does not fit into one
// request. The account's row and the journal's positions stay, without personal data. Erasing a customer again erases
// what has been added since. It returns NotFound, also for staff and services.
func (s *Service) Erase(ctx context.Context, actor auth.Actor, id uuid.UUID) error {
	if _, err := s.store.BeginErasure(ctx, sqlc.BeginErasureParams{ID: id, ActorKind: actor.Kind(), ActorID: actor.ID}); err != nil {
		return store.NotFound(err)
	}
	s.auth.ForgetAccount(id)
	s.auth.LogSecurity(ctx, slog.LevelWarn, "user erased", id, slog.Any("by_user_id", actor.ID))
	return s.erase(ctx, id, time.Now().Add(erasedAtOnce))
}

// FinishErasures continues the erasures that have begun.
func (s *Service) FinishErasures(ctx context.Context) error {
	ids, err := s.store.ListErasures(ctx, maxErasures)
	if err != nil {
		return err
	}
	var faults []error
	for _, id := range ids {
		err := s.erase(ctx, id, time.Time{})
		if err == nil {
			err = s.store.FinishErasure(ctx, sqlc.FinishErasureParams{ID: id, SettledSeconds: int32(settled.Seconds())})
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// erase deletes in batches, each in its own transaction, so that it can continue after an interruption. It begins no
// batch after the given time, unless that is zero, and interrupts none: an interrupted statement costs its connection.
func (s *Service) erase(ctx context.Context, id uuid.UUID, until time.Time) error {
	for _, step := range []struct {
		most  int32
		erase func(most int32) (int64, error)
	}{
		{maxErased, func(most int32) (int64, error) {
			return s.eraseWebhookResponses(ctx, sqlc.EraseWebhookResponsesParams{UserID: &id, MaxRows: most})
		}},
		{maxErased, func(most int32) (int64, error) {
			return s.store.EraseMessages(ctx, sqlc.EraseMessagesParams{UserID: id, MaxRows: most})
		}},
		{maxErasedTickets, func(most int32) (int64, error) {
			return s.store.EraseTickets(ctx, sqlc.EraseTicketsParams{UserID: id, MaxRows: most})
		}},
		{maxErased, func(most int32) (int64, error) {
			return s.store.EraseRememberedResponses(ctx, sqlc.EraseRememberedResponsesParams{UserID: id, MaxRows: most})
		}},
		{maxErased, func(most int32) (int64, error) {
			return s.store.EraseJournalData(ctx, sqlc.EraseJournalDataParams{UserID: &id, MaxRows: most})
		}},
		{maxErased, func(most int32) (int64, error) {
			return s.store.EraseUsage(ctx, sqlc.EraseUsageParams{UserID: id, MaxRows: most})
		}},
	} {
		for {
			erased, err := step.erase(step.most)
			if err != nil {
				return err
			}
			if !until.IsZero() && time.Now().After(until) {
				return nil
			}
			if erased < int64(step.most) {
				break
			}
		}
	}
	return nil
}

// eraseWebhookResponses waits for responses that are being stored: those that follow see that the customer is being erased.
func (s *Service) eraseWebhookResponses(ctx context.Context, p sqlc.EraseWebhookResponsesParams) (erased int64, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.LockWebhookResponses(store.Ahead(ctx)); err != nil {
			return err
		}
		erased, err = s.store.EraseWebhookResponses(ctx, p)
		return err
	})
	return erased, err
}
