package ticket

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/store"
)

const (
	sweepInterval = time.Hour
	wakeInterval  = 15 * time.Second
	maxSwept      = 1000
)

// Budget limits how much a customer may write in a day (UTC), over all replicas. Zero means no limit. Staff have no
// limit.
type Budget struct {
	Tickets int32
	// Messages also bounds ratings and changes of tickets, which add to the journal as messages do.
	Messages int32
	// Bytes bounds the text of all of them. The copy that a request with an Idempotency-Key stores for a day does not count.
	Bytes int64
}

// limits is a Budget in the form of the queries' parameters.
type limits struct {
	// account is the owner of the budget; nil when nothing is counted.
	account           *uuid.UUID
	tickets, messages int32
	bytes             int64
}

func (b Budget) of(actor auth.Actor) limits {
	if b == (Budget{}) || actor.IsStaff() {
		return limits{}
	}
	l := limits{account: &actor.ID, tickets: math.MaxInt32, messages: math.MaxInt32, bytes: math.MaxInt64}
	if b.Tickets > 0 {
		l.tickets = b.Tickets
	}
	if b.Messages > 0 {
		l.messages = b.Messages
	}
	if b.Bytes > 0 {
		l.bytes = b.Bytes
	}
	return l
}

// countChange counts a change, with that many bytes of text, towards the actor's budget. It returns RateLimited.
func (s *Service) countChange(ctx context.Context, actor auth.Actor, bytes int) error {
	l := s.budget.of(actor)
	if l.account == nil {
		return nil
	}
	counted, err := s.store.RecordChange(ctx, sqlc.RecordChangeParams{
		UserID: *l.account, Bytes: int64(bytes), MaxMessages: l.messages, MaxBytes: l.bytes,
	})
	if err == nil && counted == 0 {
		return errSpent()
	}
	return err
}

// spent converts ErrNoRows of a budgeted insert to RateLimited.
func spent(err error) error {
	if !errors.Is(err, store.ErrNoRows) {
		return err
	}
	return errSpent()
}

func errSpent() error {
	const day = 24 * time.Hour
	return apperr.New(apperr.RateLimited, "The account has reached its limit of tickets, messages and changes for today.").
		After(day - time.Duration(time.Now().UnixNano())%day)
}

// Tasks returns the periodic tasks: deleting the counts of past days, and waking snoozed tickets.
func (s *Service) Tasks() []background.Task {
	return []background.Task{
		{Name: "delete_old_usage", Every: sweepInterval, Do: s.Sweep},
		{Name: "wake_tickets", Every: wakeInterval, Do: s.WakeTickets},
	}
}

// Sweep deletes the counts of past days, in batches.
func (s *Service) Sweep(ctx context.Context) error {
	return background.Batches(ctx, maxSwept, func(ctx context.Context, limit, skip int32) (int64, error) {
		return s.store.DeleteOldUsage(ctx, sqlc.DeleteOldUsageParams{MaxRows: limit, SkipRows: skip})
	})
}

// WakeTickets wakes tickets whose snooze is over, in batches.
func (s *Service) WakeTickets(ctx context.Context) error {
	return background.Batches(ctx, maxSwept, func(ctx context.Context, limit, skip int32) (int64, error) {
		return s.store.WakeTickets(ctx, sqlc.WakeTicketsParams{MaxRows: limit, SkipRows: skip})
	})
}
