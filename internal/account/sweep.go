package account

import (
	"context"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/background"
)

const (
	// sweepInterval is how often the counters of old attempts are deleted, and maxSwept how many in one statement.
	sweepInterval = time.Minute
	maxSwept      = 500
)

// Tasks returns the periodic work: deleting the counters of old attempts, and continuing erasures.
func (s *Service) Tasks() []background.Task {
	return []background.Task{
		{Name: "delete_old_attempts", Every: sweepInterval, Do: s.Sweep},
		{Name: "finish_erasures", Every: erasureInterval, Do: s.FinishErasures},
	}
}

// Sweep deletes the counters of old attempts, a batch at a time.
func (s *Service) Sweep(ctx context.Context) error {
	return background.Batches(ctx, maxSwept, func(ctx context.Context, limit, skip int32) (int64, error) {
		return s.store.DeleteOldAttempts(ctx, sqlc.DeleteOldAttemptsParams{MaxRows: limit, SkipRows: skip})
	})
}
