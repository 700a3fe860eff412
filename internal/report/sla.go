package report

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/store"
)

const (
	sweepInterval = 10 * time.Second
	// maxSwept is how many tickets are locked at a time.
	maxSwept = 200
)

// Target is how many minutes after it was opened a ticket should be answered and resolved; 0 is no target.
type Target struct {
	FirstResponseMinutes int32 `json:"first_response_minutes,omitempty"`
	ResolutionMinutes    int32 `json:"resolution_minutes,omitempty"`
}

// Targets are the targets of priorities.
type Targets map[sqlc.TicketPriority]Target

// SLA returns the targets and their version.
func (s *Service) SLA(ctx context.Context) (Targets, int64, error) {
	return targetsOf(s.store.GetSLA(ctx))
}

// PutSLA replaces the targets, provided that their version is one that the caller accepts. Tickets that are opened, or get
// another priority, from then on have their due times by them. It returns PreconditionFailed for a version that is not accepted.
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
			return apperr.New(apperr.PreconditionFailed, "The targets have another version.")
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

// Tasks are what repeats: entering in the journal which tickets are late, or soon will be.
func (s *Service) Tasks() []background.Task {
	return []background.Task{{Name: "watch_sla", Every: sweepInterval, Do: s.Sweep}}
}

// Sweep enters in the journal which tickets are late, or soon will be, each step once, a batch at a time.
func (s *Service) Sweep(ctx context.Context) error {
	for {
		seen, err := s.store.SweepSLA(ctx, maxSwept)
		if err != nil || seen < maxSwept {
			return err
		}
	}
}
