package assistant

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

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
	sweepJitter   = 10 * time.Second
	// maxSwept bounds the responses of one statement, and sweepTimeout its time.
	maxSwept     = 50
	sweepTimeout = 30 * time.Second

	// unknownAfter is how long a response that is this replica's may stand still before the replica takes it up, if it
	// does not know of it: the reply to its claim was lost.
	unknownAfter = 3 * time.Second
)

// reap takes over responses whose writer is gone, until ctx ends.
func (s *Service) reap(ctx context.Context) {
	reaping := outage{what: "taking over answers", logger: s.options.Logger}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(reapInterval + rand.N(reapJitter)): //nolint:gosec // Jitter needs no secrecy.
		}
		reaping.note(ctx, s.takeOver(ctx))
	}
}

// takeOver starts over what others have left, one after the other, and fails what nobody could finish.
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
		Known: s.known(), UnknownLeaseSeconds: int32((leaseDuration - unknownAfter).Seconds()),
	})
	if errors.Is(err, store.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	response, err := s.store.GetAIResponse(ctx, id)
	if err != nil {
		return false, err
	}
	t, err := s.store.GetTicket(ctx, response.TicketID)
	if err != nil {
		return false, err
	}
	messages, err := s.conversationOf(ctx, t, response.TurnMessageID)
	if err != nil {
		return false, err
	}
	s.metrics.takeovers.Inc()
	s.options.Logger.InfoContext(ctx, "ai response taken over", slog.Any("ai_response_id", id),
		slog.Int("attempt", int(response.Attempt)))
	return true, s.start(ctx, claim{response: response, conversation: messages})
}

// watch keeps the leases of what is written here, and stops the writing of what was lost, until ctx ends.
func (s *Service) watch(ctx context.Context) {
	watching := outage{what: "watching leases", logger: s.options.Logger}
	var err error
	for turn := 1; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchInterval):
		}
		// After an outage the leases have ended, or soon will.
		renew := turn%renewEvery == 0 || err != nil
		err = s.committer.watch(ctx, s.running(), renew)
		watching.note(ctx, err)
	}
}

// sweep deletes the events of responses that ended long ago, once in sweepInterval, until ctx ends.
func (s *Service) sweep(ctx context.Context) {
	sweeping := outage{what: "deleting old events", logger: s.options.Logger}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepInterval + rand.N(sweepJitter)): //nolint:gosec // Jitter needs no secrecy.
		}
		sweeping.note(ctx, s.sweepAll(ctx))
	}
}

// sweepAll sweeps everything that is old enough, a few responses in one statement. A batch that fails is tried one by
// one, and what still fails is passed over until the next sweep.
func (s *Service) sweepAll(ctx context.Context) error {
	var failed error
	next := sqlc.ListSweepableAIResponsesParams{RetentionSeconds: int32(retention.Seconds()), MaxRows: maxSwept}
	for {
		found, err := s.store.ListSweepableAIResponses(ctx, next)
		if err != nil {
			return errors.Join(failed, err)
		}
		ids := make([]uuid.UUID, len(found))
		for i, r := range found {
			ids[i], next.AfterFinishedAt, next.AfterID = r.ID, r.FinishedAt, r.ID
		}
		if len(ids) > 0 && s.sweepSome(ctx, ids) != nil {
			for _, id := range ids {
				failed = cmp.Or(s.sweepSome(ctx, []uuid.UUID{id}), failed)
			}
		}
		if len(found) < maxSwept || ctx.Err() != nil {
			return failed
		}
	}
}

func (s *Service) sweepSome(ctx context.Context, ids []uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	return s.store.SweepAIResponses(ctx, ids)
}
