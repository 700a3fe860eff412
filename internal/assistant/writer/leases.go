package writer

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/store"
)

const (
	// watchInterval is how often a replica checks that its responses are still its own. It renews the leases in every
	// renewEvery-th check.
	watchInterval = 500 * time.Millisecond
	renewEvery    = 10
	// justCommitted is how long after a commit a lease needs no renewal.
	justCommitted = renewEvery * watchInterval / 2
)

// leases maintains the leases of the responses that are written here.
type leases struct {
	store *store.Store
	// reserved has reserved connections, because a lease must not wait behind requests.
	reserved sqlc.Querier
	ownerID  uuid.UUID
	roster   *roster
	logger   *slog.Logger
}

// run maintains the leases, and stops the writing of lost responses, until ctx ends.
func (l *leases) run(ctx context.Context) {
	var err error
	turn := 0
	background.Every(ctx, watchInterval, &background.Outage{While: "watching leases", Logger: l.logger}, func(ctx context.Context) error {
		turn++
		// After an outage, the leases have expired or soon will.
		renew := turn%renewEvery == 0 || err != nil
		err = l.check(ctx, l.roster.running(), renew)
		return err
	})
}

// check notifies the owners that have lost their leases. It is one query for the replica.
func (l *leases) check(ctx context.Context, owners []*owner, renew bool) error {
	if len(owners) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	byID := make(map[uuid.UUID]*owner, len(owners))
	for _, o := range owners {
		byID[o.response.ID] = o
	}
	kept := l.kept
	if renew {
		kept = l.renewed
	}
	ids, err := kept(ctx, byID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		delete(byID, id)
	}
	for _, o := range byID {
		o.loseUnlessEnding()
	}
	return nil
}

// kept returns which of the responses are still this replica's.
func (l *leases) kept(ctx context.Context, owners map[uuid.UUID]*owner) (ids []uuid.UUID, err error) {
	rows, err := l.reserved.ListOwnedAIResponses(ctx, l.ownerID)
	for _, row := range rows {
		if o := owners[row.ID]; o != nil && o.response.Attempt == row.Attempt {
			ids = append(ids, row.ID)
		}
	}
	return ids, err
}

// renewed returns the same, and renews their leases, except those that a commit has just renewed: commits would wait for
// a renewal of thousands of leases.
func (l *leases) renewed(ctx context.Context, owners map[uuid.UUID]*owner) (ids []uuid.UUID, err error) {
	params := sqlc.RenewAIResponseLeasesParams{OwnerID: l.ownerID, LeaseSeconds: int32(LeaseDuration.Seconds())}
	since := time.Now().Add(-justCommitted)
	for id, o := range owners {
		if o.hasCommittedSince(since) {
			ids = append(ids, id)
			continue
		}
		params.IDs, params.Attempts = append(params.IDs, id), append(params.Attempts, o.response.Attempt)
	}
	if len(params.IDs) == 0 {
		return ids, nil
	}
	renewed, err := l.reserved.RenewAIResponseLeases(ctx, params)
	return append(ids, renewed...), err
}

// release gives up a lease, so that another replica takes the response over at once.
func (l *leases) release(ctx context.Context, response sqlc.AIResponse) {
	err := l.store.ReleaseAIResponseLease(ctx, sqlc.ReleaseAIResponseLeaseParams{
		ID: response.ID, OwnerID: l.ownerID, Attempt: response.Attempt,
	})
	if err != nil {
		l.logger.WarnContext(ctx, "lease not released", slog.Any("error", err))
	}
}
