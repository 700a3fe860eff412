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

// maxTagsRunes is how long a ticket's tags are together.
const maxTagsRunes = 1000

// Triage is how the AI sorts a ticket.
type Triage struct {
	Priority sqlc.TicketPriority
	Tags     []string
	// HandOff advises that humans answer, for Reason.
	HandOff bool
	Reason  string
}

// Sort gives a new ticket the priority and the tags of a triage, besides the tags that it has, and hands it off to humans where that
// is advised, once. It leaves alone a ticket that staff have sorted since it was opened, and one that is closed.
func (s *Service) Sort(ctx context.Context, id uuid.UUID, triage Triage) error {
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

// apply returns a ticket as it is after the triage.
func (t Triage) apply(ticket sqlc.Ticket) sqlc.Ticket {
	ticket.Priority, ticket.Tags = t.Priority, AddTags(ticket.Tags, t.Tags)
	if t.HandOff && ticket.AIMode != sqlc.AIModeOff {
		reason := sqlc.HandoffReasonCannotAnswer
		ticket.AIMode, ticket.AIModeBefore = sqlc.AIModeOff, nil
		ticket.HandoffReason, ticket.HandoffNote = &reason, &t.Reason
	}
	return ticket
}

// AddTags adds tags to those of a ticket, as far as there is room.
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
