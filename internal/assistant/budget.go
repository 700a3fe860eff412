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

// runningPause is when to ask again while as many answers are being written as a user may have.
const runningPause = 5 * time.Second

// errSpent is a response that the budget does not allow.
var errSpent = errors.New("assistant: the budget is spent")

// Budget is how many answers a user may have begun, counted over all replicas. Zero is no limit.
type Budget struct {
	// Running is how many may be written at a time.
	Running   int32
	PerMinute int32
	PerDay    int32
}

// lock lets no other response of the user's begin until the transaction ends, so that what is counted stays true.
func (b Budget) lock(ctx context.Context, s *store.Store, userID uuid.UUID) error {
	if b == (Budget{}) {
		return nil
	}
	return s.LockAIBudget(store.Ahead(ctx), userID.String())
}

// spent returns AIQuota, with the time after which the user may ask again.
func (b Budget) spent(ctx context.Context, s *store.Store, userID uuid.UUID) error {
	spent, err := s.CountRecentAIResponses(ctx, userID)
	if err != nil {
		return err
	}
	if err := b.check(spent); err != nil {
		return err
	}
	return quota("As many answers as an account may have were begun until now.", time.Second)
}

// check returns AIQuota when as much has been spent as may be.
func (b Budget) check(spent sqlc.CountRecentAIResponsesRow) error {
	used := func(limit, count int32) bool { return limit > 0 && count >= limit }
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
