package writer

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/store"
)

const (
	// retention is how long an ended response keeps its events, and sweepInterval how often old events are deleted.
	retention     = 24 * time.Hour
	sweepInterval = time.Minute
	// maxSwept bounds the responses of one statement, and sweepTimeout its time.
	maxSwept     = 50
	sweepTimeout = 30 * time.Second
)

// sweeper deletes the events of responses that ended long ago.
type sweeper struct {
	store *store.Store
}

// sweep deletes all old events, of a few responses in each statement. It tries a failed batch one by one, and skips
// what still fails until the next sweep.
func (s *sweeper) sweep(ctx context.Context) error {
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

func (s *sweeper) sweepSome(ctx context.Context, ids []uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	return s.store.SweepAIResponses(ctx, ids)
}
