package report

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/store"
)

const (
	sweepInterval = 10 * time.Second
	// maxSwept bounds the tickets that are locked at a time.
	maxSwept = 200
)

// Target is how many minutes after opening a ticket should be answered and resolved; 0 means no target.
type Target struct {
	FirstResponseMinutes int32 `json:"first_response_minutes,omitempty"`
	ResolutionMinutes    int32 `json:"resolution_minutes,omitempty"`
}

// Targets are the targets by priority.
type Targets map[sqlc.TicketPriority]Target

// SLA returns the targets and their version.
func (s *Service) SLA(ctx context.Context) (Targets, int64, error) {
	return targetsOf(s.store.GetSLA(ctx))
}

// PutSLA replaces the targets, if the caller accepts their version. The targets that there are already have no effect. Others apply
// to tickets that are opened or change priority from then on. It returns PreconditionFailed for a version that is not accepted.
func (s *Service) PutSLA(ctx context.Context, targets Targets, accept func(version int64) bool) (after Targets, version int64, err error) {
	text, err := json.Marshal(targets)
	if err != nil {
		return nil, 0, fmt.Errorf("report: encode the targets: %w", err)
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		before, err := s.store.LockSLA(ctx)
		if err != nil {
			return err
		}
		if !accept(before.Version) {
			return apperr.New(apperr.PreconditionFailed, "The targets have changed since the version in If-Match.")
		}
		after, version, err = targetsOf(before, nil)
		if err != nil || maps.Equal(after, targets) {
			return err
		}
		after, version, err = targetsOf(s.store.UpdateSLA(store.Last(ctx), text))
		return err
	})
	return after, version, err
}

func targetsOf(row sqlc.SLA, err error) (Targets, int64, error) {
	var targets Targets
	if err == nil {
		err = json.Unmarshal(row.Targets, &targets)
	}
	return targets, row.Version, err
}

// Tasks returns the periodic task that adds journal entries for tickets that are late or soon will be.
func (s *Service) Tasks() []background.Task {
	return []background.Task{{Name: "watch_sla", Every: sweepInterval, Do: s.Sweep}}
}

// Sweep adds journal entries for tickets that are late or soon will be, one for each step, in batches.
func (s *Service) Sweep(ctx context.Context) error {
	for {
		seen, err := s.store.SweepSLA(ctx, maxSwept)
		if err != nil || seen < maxSwept {
			return err
		}
	}
}
