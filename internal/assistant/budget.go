package assistant

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
)

// runningPause is when to ask again while as many answers are being written as a user may have.
const runningPause = 5 * time.Second

// Budget is how many answers a user may have begun, counted over all replicas. Zero is no limit.
type Budget struct {
	// Running is how many may be written at a time.
	Running   int
	PerMinute int
	PerDay    int
}

// spend returns AIQuota when the user has used the budget up. Until the transaction ends, no other response of theirs
// begins, so that what is counted here stays true.
func (b Budget) spend(ctx context.Context, s *store.Store, userID uuid.UUID) error {
	if b == (Budget{}) {
		return nil
	}
	if err := s.LockAIBudget(ctx, userID.String()); err != nil {
		return err
	}
	spent, err := s.CountRecentAIResponses(ctx, userID)
	if err != nil {
		return err
	}
	return b.check(spent)
}

func (b Budget) check(spent sqlc.CountRecentAIResponsesRow) error {
	used := func(limit int, count int32) bool { return limit > 0 && int(count) >= limit }
	switch {
	case used(b.PerDay, spent.LastDay):
		return quota("As many answers as an account may have in a day were begun.", seconds(spent.DayEndsIn))
	case used(b.PerMinute, spent.LastMinute):
		return quota("As many answers as an account may have in a minute were begun.", seconds(spent.MinuteEndsIn))
	case used(b.Running, spent.Running):
		return quota("As many answers as an account may have at a time are being written.", runningPause)
	}
	return nil
}

func quota(detail string, wait time.Duration) error {
	return apperr.New(apperr.AIQuota, detail).After(wait)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
