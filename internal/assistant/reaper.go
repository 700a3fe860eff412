package assistant

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
)

const (
	// A reaper looks for responses without a writer this often, give or take a random part, so that replicas which were
	// started together do not all ask at once. With leaseDuration, an answer stands still for at most 17 seconds.
	reapInterval = 1500 * time.Millisecond
	reapJitter   = 500 * time.Millisecond

	// maxAttempts is how often a response is begun at all.
	maxAttempts = 3
	// abandonedAfter is how long a response waits for a replica that takes it over: it may be that answers were switched
	// off on all of them.
	abandonedAfter = 5 * time.Minute

	// watchInterval is how often a replica makes sure that its responses are still its own, and renewEvery how many
	// times that is until it makes the leases longer.
	watchInterval = 500 * time.Millisecond
	renewEvery    = 10

	// retention is how long a finished response keeps its events, and sweepInterval how often old ones are deleted.
	retention     = 24 * time.Hour
	sweepInterval = time.Minute
	maxSwept      = 500
)

// reap takes over responses whose writer is gone, until ctx ends.
func (s *Service) reap(ctx context.Context) {
	reaping := outage{what: "taking over answers", logger: s.options.Logger}
	swept := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(reapInterval + rand.N(reapJitter)): //nolint:gosec // Jitter needs no secrecy.
		}
		err := s.takeOver(ctx)
		if time.Since(swept) > sweepInterval {
			swept = time.Now()
			err = errors.Join(err, s.sweep(ctx))
		}
		reaping.note(ctx, err)
	}
}

// takeOver begins anew what others have left, one after the other, and fails what nobody could finish.
func (s *Service) takeOver(ctx context.Context) error {
	for more := true; more; {
		if !s.admit() {
			return nil // It is for others now to take over, or to fail.
		}
		var err error
		more, err = s.takeOverOne(ctx)
		s.wg.Done()
		if err != nil {
			return err
		}
	}
	_, err := s.store.FailAbandonedAIResponses(ctx, sqlc.FailAbandonedAIResponsesParams{
		ErrorCode: string(apperr.AITimeout), MaxAttempts: maxAttempts,
		AbandonedSeconds: int32(abandonedAfter.Seconds()),
	})
	return err
}

func (s *Service) takeOverOne(ctx context.Context) (more bool, err error) {
	if s.options.Client == nil || s.isFull() {
		return false, nil // It is for others to take over.
	}
	id, err := s.store.TakeOverAIResponse(ctx, sqlc.TakeOverAIResponseParams{
		OwnerID: s.id, LeaseSeconds: int32(leaseDuration.Seconds()), MaxAttempts: maxAttempts,
	})
	if errors.Is(err, store.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	response, err := s.store.GetAIResponseByID(ctx, id)
	if err != nil {
		return false, err
	}
	t, err := s.store.GetTicketByID(ctx, sqlc.GetTicketByIDParams{ID: response.TicketID, Staff: true})
	if err != nil {
		return false, err
	}
	messages, err := conversationOf(ctx, s.store, t, response.TurnMessageID)
	if err != nil {
		return false, err
	}
	s.options.Logger.InfoContext(ctx, "ai response taken over", slog.Any("ai_response_id", id),
		slog.Int("attempt", int(response.Attempt)))
	return true, s.start(ctx, claim{response: response, conversation: messages})
}

// watch keeps the leases of what is written here, and stops the writing of what was lost, until ctx ends.
func (s *Service) watch(ctx context.Context) {
	watching := outage{what: "watching leases", logger: s.options.Logger}
	for turn := 1; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchInterval):
		}
		watching.note(ctx, s.committer.watch(ctx, s.running(), turn%renewEvery == 0))
	}
}

func (s *Service) sweep(ctx context.Context) error {
	_, err := s.store.DeleteOldAIResponseEvents(ctx, sqlc.DeleteOldAIResponseEventsParams{
		RetentionSeconds: int32(retention.Seconds()), MaxResponses: maxSwept,
	})
	return err
}
