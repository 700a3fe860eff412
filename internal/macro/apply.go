package macro

import (
	"context"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
)

// Preview returns the text that a macro would add to a ticket. It returns NotFound, and ValidationFailed for a text
// that would be too long.
func (s *Service) Preview(ctx context.Context, actor auth.Actor, id, ticketID uuid.UUID) (string, error) {
	_, text, err := s.find(ctx, actor, id, ticketID)
	return text, err
}

// Apply adds a macro's text to a ticket, as a message or note by the actor, and makes its changes, all of it or
// nothing, if the caller accepts the ticket's version. It returns the ticket afterwards, PreconditionFailed, and
// the errors of Preview and of ticket.Service.Add and Update.
func (s *Service) Apply(
	ctx context.Context, actor auth.Actor, id, ticketID uuid.UUID, accept func(version int64) bool,
) (after ticket.View, message ticket.Message, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		locked, err := ticket.Lock(ctx, s.store, actor, ticketID)
		if err != nil {
			return err
		}
		m, text, err := s.find(ctx, actor, id, ticketID)
		switch {
		case err != nil:
			return err
		case !accept(locked.Version):
			return ticket.ErrChanged()
		}
		if m.IsNote {
			message, err = s.tickets.AddNote(ctx, actor, ticketID, text)
		} else {
			message, err = s.tickets.AddMessage(ctx, actor, ticketID, text)
		}
		if err != nil {
			return err
		}
		if err := s.tickets.Adjust(ctx, actor, ticketID, changeOf(m)); err != nil {
			return err
		}
		after, _, err = s.tickets.Get(ctx, actor, ticketID)
		return err
	})
	return after, message, err
}

// find returns a macro and its text for a ticket.
func (s *Service) find(ctx context.Context, actor auth.Actor, id, ticketID uuid.UUID) (Macro, string, error) {
	found, err := s.store.FindMacroForTicket(ctx, sqlc.FindMacroForTicketParams{
		ID: id, TicketID: ticketID, ActorID: actor.ID, Staff: actor.IsStaff(), AllCustomers: actor.SeesCustomers(),
	})
	if err != nil {
		return Macro{}, "", store.NotFound(err)
	}
	text, err := fill(found.Macro.Content, valuesOf(found, actor.DisplayName))
	return found.Macro, text, err
}

// changeOf returns the change that a macro makes in a ticket.
func changeOf(m Macro) ticket.BulkChange {
	change := ticket.BulkChange{AddTags: m.AddTags}
	if m.Status != nil {
		change.Status = *m.Status
	}
	if m.Priority != nil {
		change.Priority = *m.Priority
	}
	if m.AssigneeID != nil {
		change.AssigneeID = nullable.NewNullableWithValue(*m.AssigneeID)
	}
	if m.TeamID != nil {
		change.TeamID = nullable.NewNullableWithValue(*m.TeamID)
	}
	return change
}
