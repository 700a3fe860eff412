package ticket

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
)

// maxTagsRunes is the maximum length of a ticket's tags together, in characters.
const maxTagsRunes = 1000

// Triage is the AI's triage of a ticket.
type Triage struct {
	Priority sqlc.TicketPriority
	Tags     []string
	// HandOff advises to leave the ticket to humans, for Reason.
	HandOff bool
	Reason  string
}

// ApplyTriage applies a triage to a new ticket, once: it sets the priority, adds the tags, and hands the ticket off where that
// is advised. It changes nothing in a closed ticket, and in one that staff have triaged since it was opened.
func (s *Service) ApplyTriage(ctx context.Context, id uuid.UUID, triage Triage) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		before, err := s.store.LockTicket(ctx, sqlc.LockTicketParams{ID: id, Staff: true})
		if err != nil {
			return err
		}
		due, err := s.store.TakeTriage(ctx, id)
		if err != nil || due == 0 || before.Status == sqlc.TicketStatusClosed {
			return err
		}
		after := triage.apply(before)
		params := s.update(auth.Actor{}, before, after)
		params.CallerID, params.ActorKind = nil, sqlc.ActorKindAI
		if len(params.EntryTypes) == 0 {
			return nil
		}
		if after.AIMode != before.AIMode {
			if _, err := s.store.SupersedeAIResponses(ctx, sqlc.SupersedeAIResponsesParams{
				TicketID: id, ActorKind: sqlc.ActorKindAI, Answers: true,
			}); err != nil {
				return err
			}
		}
		_, err = s.store.UpdateTicket(store.Last(ctx), params)
		return err
	})
}

// apply returns the ticket after the triage.
func (t Triage) apply(ticket sqlc.Ticket) sqlc.Ticket {
	ticket.Priority, ticket.Tags = t.Priority, AddTags(ticket.Tags, t.Tags)
	if t.HandOff && ticket.AIMode != sqlc.AIModeOff {
		reason := sqlc.HandoffReasonCannotAnswer
		ticket.AIMode, ticket.AIModeBefore = sqlc.AIModeOff, nil
		ticket.HandoffReason, ticket.HandoffNote = &reason, &t.Reason
	}
	return ticket
}

// AddTags adds tags to a ticket's tags, up to the limits.
func AddTags(tags, more []string) []string {
	all := slices.Clone(tags)
	for _, tag := range more {
		size := utf8.RuneCountInString(strings.Join(all, "") + tag)
		if !slices.Contains(all, tag) && len(all) < maxTags && size <= maxTagsRunes {
			all = append(all, tag)
		}
	}
	return all
}
