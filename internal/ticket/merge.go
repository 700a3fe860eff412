package ticket

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

// Merge moves a ticket's conversation into another ticket of the same customer, in chronological order, with its
// description as a message, and closes it for good. The other ticket also gets the tags and custom fields that it
// lacks, up to the limits, and is reopened when the customer waits in the first one. Tickets that were merged into the
// first one follow it. Merge fences what the AI is writing in either. The caller has decided that the actor may see both.
//
// It returns the other ticket. It returns NotFound, InvalidTransition for a ticket that was merged before, TicketClosed
// when the other one is closed, and ValidationFailed when the other one is the same or another customer's.
func (s *Service) Merge(ctx context.Context, actor auth.Actor, from, into uuid.UUID) (ticket View, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		source, target, err := s.lockToMerge(ctx, from, into)
		if err != nil {
			return err
		}
		joined, err := join(target, source)
		if err != nil {
			return err
		}
		entries := entriesOf(target, joined)
		for _, id := range []uuid.UUID{from, into} {
			if _, err := s.store.SupersedeAIResponses(ctx, sqlc.SupersedeAIResponsesParams{
				TicketID: id, ActorKind: actor.Kind(), ActorID: &actor.ID, Answers: true, StaffRequests: true,
			}); err != nil {
				return err
			}
		}
		taken, err := s.store.ListTakenTimes(ctx, sqlc.ListTakenTimesParams{FromID: from, IntoID: into})
		if err != nil {
			return err
		}
		for _, id := range taken {
			if err := s.store.ShiftMessage(ctx, sqlc.ShiftMessageParams{ID: id, FromID: from, IntoID: into}); err != nil {
				return err
			}
		}
		merged, err := s.store.MergeTicket(store.Last(ctx), sqlc.MergeTicketParams{
			FromID: from, IntoID: into, MessageID: uuid7.New(), ClosingID: uuid7.New(), ReopeningID: uuid7.New(),
			CallerID: actor.ID, ActorKind: actor.Kind(), AllCustomers: actor.SeesCustomers(),
			Status: joined.Status, SnoozedUntil: joined.SnoozedUntil, Tags: joined.Tags, CustomFields: joined.CustomFields,
			EntryTypes: entries.types, EntriesShown: entries.shown, EntryData: entries.data,
		})
		ticket = View(merged)
		return err
	})
	return ticket, err
}

// join returns a ticket with the additional tags and custom fields of another one, up to the limits. A customer who waits
// in the other one reopens and wakes the ticket, as a new message would.
func join(t, other sqlc.Ticket) (sqlc.Ticket, error) {
	if other.WaitingSince != nil {
		t.Status, t.SnoozedUntil = sqlc.TicketStatusOpen, nil
	}
	tags := append(slices.Clone(t.Tags), without(other.Tags, t.Tags)...)
	t.Tags = tags[:min(len(tags), maxTags)]
	fields, err := Fields(t.CustomFields)
	if err != nil {
		return t, err
	}
	more, err := Fields(other.CustomFields)
	if err != nil {
		return t, err
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		if _, has := fields[name]; !has && len(fields) < maxFields {
			fields[name] = more[name]
		}
	}
	t.CustomFields, err = json.Marshal(fields)
	return t, err
}

// lockToMerge locks two tickets in the order of their ids, and returns them, or an error if they cannot be merged.
func (s *Service) lockToMerge(ctx context.Context, from, into uuid.UUID) (source, target sqlc.Ticket, err error) {
	locked, err := s.store.LockTickets(ctx, sqlc.LockTicketsParams{FromID: from, IntoID: into})
	if err != nil {
		return source, target, err
	}
	tickets := make(map[uuid.UUID]sqlc.Ticket, len(locked))
	for _, t := range locked {
		tickets[t.ID] = t
	}
	var found bool
	if source, found = tickets[from]; !found {
		return source, target, store.NotFound(store.ErrNoRows)
	}
	target, found = tickets[into]
	if !found || from == into || target.UserID != source.UserID {
		return source, target, apperr.New(apperr.ValidationFailed, "A ticket can only be merged into another ticket of the same customer.").
			At(apperr.Field{Pointer: "/into", Code: apperr.NotAllowed})
	}
	if source.MergedInto != nil {
		return source, target, apperr.New(apperr.InvalidTransition, "The ticket has already been merged into another one.")
	}
	if target.Status == sqlc.TicketStatusClosed {
		return source, target, ErrClosed(target)
	}
	return source, target, nil
}
