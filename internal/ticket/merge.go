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

// Merge moves the conversation of a ticket into another one of the same customer, in the order of time, its description as a
// message, and closes it for good. The other ticket gets the tags and custom fields that it has not, as many as it may have.
// What the AI is writing in either is fenced. The caller has decided that the actor may see both.
//
// It returns the other ticket. It returns NotFound, InvalidTransition for a ticket that was merged already, TicketClosed when the
// other one is closed, and ValidationFailed when the other one is the same or another customer's.
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
			FromID: from, IntoID: into, MessageID: uuid7.New(), ChangeID: uuid7.New(),
			CallerID: actor.ID, ActorKind: actor.Kind(), AllCustomers: actor.SeesCustomers(),
			Tags: joined.Tags, CustomFields: joined.CustomFields,
			EntryTypes: entries.types, EntriesShown: entries.shown, EntryData: entries.data,
		})
		ticket = View(merged)
		return err
	})
	return ticket, err
}

// join returns a ticket with what another one has besides of tags and custom fields, until it has as many as it may.
func join(t, other sqlc.Ticket) (sqlc.Ticket, error) {
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

// lockToMerge locks two tickets, in the order of their ids, and returns them, or why one cannot be merged into the other.
func (s *Service) lockToMerge(ctx context.Context, from, into uuid.UUID) (source, target sqlc.Ticket, err error) {
	locked, err := s.store.LockTickets(ctx, []uuid.UUID{from, into})
	if err != nil {
		return source, target, err
	}
	tickets := make(map[uuid.UUID]sqlc.Ticket, len(locked))
	for _, t := range locked {
		tickets[t.ID] = t
	}
	var there bool
	source, there = tickets[from]
	if !there {
		return source, target, store.NotFound(store.ErrNoRows)
	}
	target, there = tickets[into]
	if !there || from == into || target.UserID != source.UserID {
		return source, target, apperr.New(apperr.ValidationFailed, "A ticket is merged into another one of the same customer.").
			At(apperr.Field{Pointer: "/into", Code: apperr.NotAllowed})
	}
	if source.MergedInto != nil {
		return source, target, apperr.New(apperr.InvalidTransition, "The ticket was merged into another one already.")
	}
	if target.Status == sqlc.TicketStatusClosed {
		return source, target, ErrClosed()
	}
	return source, target, nil
}
