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

// Run deletes expired sessions and the counters of old attempts, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	o := &background.Outage{While: "deleting expired sessions and old attempts", Logger: s.logger}
	background.Every(ctx, sweepInterval, o, s.Sweep)
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
