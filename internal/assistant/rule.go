package assistant

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/ticket"
)

// TriageRule says whether the AI triages new tickets automatically.
type TriageRule string

// The rules. With TriageSuggest, staff see the triage and may apply it; with TriageApply, it is applied at once.
const (
	TriageOff     TriageRule = "off"
	TriageSuggest TriageRule = "suggest"
	TriageApply   TriageRule = "apply"
)

const (
	// triageInterval is how often the rule looks for new tickets, and maxTriagesListed how many it handles at a time.
	triageInterval   = 2 * time.Second
	maxTriagesListed = 50
	// maxTriagesRunning limits the automatic triages that run at a time, over all replicas. They count towards no
	// account's budget.
	maxTriagesRunning = 4
)

// errTriaged means that the ticket no longer needs a triage.
var errTriaged = errors.New("assistant: the ticket has been triaged")

// triageTasks returns the task that triages new tickets, if there is a rule.
func (s *Service) triageTasks() []background.Task {
	if s.triage != TriageSuggest && s.triage != TriageApply {
		return nil
	}
	return []background.Task{{Name: "triage_new_tickets", Every: triageInterval, Do: s.triageNew}}
}

// triageNew applies completed triages, and starts the next ones. A triage that fails to start is tried again in the next
// period.
func (s *Service) triageNew(ctx context.Context) error {
	due, err := s.store.ListDueTriages(ctx, maxTriagesListed)
	if err != nil {
		return err
	}
	running, err := s.store.CountRunningTriages(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, d := range due {
		switch {
		case d.AIResponseID != nil:
			faults = append(faults, s.finishTriage(ctx, d.TicketID, *d.AIResponseID))
		case running < maxTriagesRunning:
			running++
			if err := s.startTriage(ctx, d.TicketID); err != nil {
				running = maxTriagesRunning // The others would fail for the same reason.
				faults = append(faults, err)
			}
		}
	}
	return errors.Join(faults...)
}

// finishTriage handles a completed triage by the rule.
func (s *Service) finishTriage(ctx context.Context, ticketID, id uuid.UUID) error {
	response, err := s.store.GetAIResponse(ctx, id)
	if err != nil {
		return err
	}
	triage := TriageOf(response)
	if triage == nil || s.triage != TriageApply {
		_, err = s.store.TakeTriage(ctx, ticketID)
		return err
	}
	return s.tickets.ApplyTriage(ctx, ticketID, ticket.Triage{
		Priority: triage.Priority, Tags: triage.Tags, HandOff: triage.HandOff, Reason: triage.Reason,
	})
}

// startTriage starts the automatic triage of a ticket, unless staff were faster. It joins a triage that staff
// requested.
func (s *Service) startTriage(ctx context.Context, ticketID uuid.UUID) error {
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		c, err := s.claims.startOrJoin(ctx, auth.Actor{Role: auth.RoleAgent}, ticketID, Request{kind: sqlc.AIResponseKindTriage})
		if err != nil {
			return err
		}
		assigned, err := s.store.AssignTriage(ctx, sqlc.AssignTriageParams{TicketID: ticketID, AIResponseID: c.response.ID})
		if err == nil && assigned == 0 {
			return errTriaged
		}
		return err
	})
	if errors.Is(err, errTriaged) || apperr.Is(err, apperr.NotFound) || apperr.Is(err, apperr.Draining) {
		return nil
	}
	return err
}
