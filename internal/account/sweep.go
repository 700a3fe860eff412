package account

import (
	"context"
	"errors"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/background"
)

const (
	// sweepInterval is how often expired sessions and old attempts are deleted, and maxSwept how many in one statement.
	sweepInterval = time.Minute
	maxSwept      = 500
)

// Tasks are what repeats: deleting expired sessions and the counters of old attempts.
func (s *Service) Tasks() []background.Task {
	return []background.Task{
		{Name: "delete_expired_sessions", Every: sweepInterval, Do: s.Sweep},
		{Name: "finish_erasures", Every: erasureInterval, Do: s.FinishErasures},
	}
}

// Sweep deletes expired sessions and the counters of old attempts, a batch at a time.
func (s *Service) Sweep(ctx context.Context) error {
	return errors.Join(
		background.Batches(ctx, maxSwept, func(ctx context.Context, limit, skip int32) (int64, error) {
			return s.store.DeleteExpiredSessions(ctx, sqlc.DeleteExpiredSessionsParams{MaxRows: limit, SkipRows: skip})
		}),
		background.Batches(ctx, maxSwept, func(ctx context.Context, limit, skip int32) (int64, error) {
			return s.store.DeleteOldAttempts(ctx, sqlc.DeleteOldAttemptsParams{MaxRows: limit, SkipRows: skip})
		}),
	)
}
