package assistant

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
)

// runningPause is the Retry-After while a user has too many running answers.
const runningPause = 5 * time.Second

// errSpent means that the budget does not allow another response.
var errSpent = errors.New("assistant: the budget is spent")

// Budget limits the answers of a user, over all replicas. Zero means no limit.
type Budget struct {
	// Running limits the answers that run at a time.
	Running   int32
	PerMinute int32
	PerDay    int32
}

// lock keeps other responses of the user from starting until the transaction ends, which keeps the counts exact.
func (b Budget) lock(ctx context.Context, s *store.Store, userID uuid.UUID) error {
	if b == (Budget{}) {
		return nil
	}
	return s.LockAIBudget(store.Ahead(ctx), userID.String())
}

// spent returns AIQuota with a RetryAfter.
func (b Budget) spent(ctx context.Context, s *store.Store, userID uuid.UUID) error {
	spent, err := s.CountRecentAIResponses(ctx, userID)
	if err != nil {
		return err
	}
	if err := b.check(spent); err != nil {
		return err
	}
	return quota("The account has used up its AI answers for now.", time.Second)
}

// check returns AIQuota when a limit is reached.
func (b Budget) check(spent sqlc.CountRecentAIResponsesRow) error {
	used := func(limit, count int32) bool { return limit > 0 && count >= limit }
	switch {
	case used(b.PerDay, spent.LastDay):
		return quota("The account has used up its AI answers for the day.", seconds(spent.DayEndsIn))
	case used(b.PerMinute, spent.LastMinute):
		return quota("The account has used up its AI answers for the minute.", seconds(spent.MinuteEndsIn))
	case used(b.Running, spent.Running):
		return quota("The AI is writing as many answers for the account as it may at a time.", runningPause)
	}
	return nil
}

func quota(detail string, wait time.Duration) error {
	return apperr.New(apperr.AIQuota, detail).After(wait)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
