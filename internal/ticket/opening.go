package ticket

import (
	"cmp"
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

// Opening is a ticket to open. Customers may only set its title and description.
type Opening struct {
	Title, Description string
	// ExternalID is the ticket's id in another system. With Upsert, an existing ticket with this id is returned.
	ExternalID   string
	Upsert       bool
	Priority     sqlc.TicketPriority
	Tags         []string
	CustomFields map[string]any
}

// check returns Forbidden when the actor may not set all members of the opening.
func (o Opening) check(actor auth.Actor) error {
	if actor.ServiceID != uuid.Nil || actor.IsStaff() {
		return nil
	}
	var fields []apperr.Field
	for _, member := range []struct {
		pointer string
		given   bool
	}{
		{"/external_id", o.ExternalID != ""},
		{"/priority", o.Priority != ""},
		{"/tags", o.Tags != nil},
		{"/custom_fields", o.CustomFields != nil},
	} {
		if member.given {
			fields = append(fields, apperr.Field{Pointer: member.pointer, Code: apperr.NotAllowed})
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return apperr.New(apperr.Forbidden, "Only services and staff may set this.").At(fields...)
}

// Create opens a ticket for the actor. It returns RateLimited when the actor has used up its budget.
func (s *Service) Create(ctx context.Context, actor auth.Actor, title, description string) (sqlc.Ticket, error) {
	return s.create(ctx, actor, Opening{Title: title, Description: description})
}

func (s *Service) create(ctx context.Context, actor auth.Actor, o Opening) (sqlc.Ticket, error) {
	limits := s.budget.of(actor)
	fields, err := mergeFields([]byte("{}"), o.CustomFields)
	if err != nil {
		return sqlc.Ticket{}, err
	}
	params := sqlc.CreateTicketParams{
		ID: uuid7.New(), UserID: actor.ID, ActorKind: actor.Kind(), ServiceID: serviceOf(actor), Title: o.Title, Description: o.Description,
		AIMode: s.aiMode, Triage: s.triage, Priority: cmp.Or(o.Priority, sqlc.TicketPriorityNormal), Tags: o.Tags, CustomFields: fields,
		CountsFor: limits.account, MaxTickets: limits.tickets, MaxBytes: limits.bytes, Bytes: int64(len(o.Title) + len(o.Description)),
	}
	if o.ExternalID != "" {
		params.ExternalID = &o.ExternalID
	}
	if params.Tags == nil {
		params.Tags = []string{}
	}
	ticket, err := s.store.CreateTicket(ctx, params)
	return ticket, spent(err)
}

// Open opens a ticket for the actor. With Upsert, it returns the actor's existing ticket with the external id, if there
// is one; created reports that there was none. It returns the errors of Create, Forbidden for members that customers
// may not set, and ExternalIDTaken.
func (s *Service) Open(ctx context.Context, actor auth.Actor, o Opening) (ticket sqlc.Ticket, created bool, err error) {
	if err := o.check(actor); err != nil {
		return ticket, false, err
	}
	if o.ExternalID == "" {
		ticket, err = s.create(ctx, actor, o)
		return ticket, true, err
	}
	service := serviceOf(actor)
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.LockExternalID(store.Ahead(ctx), sqlc.LockExternalIDParams{
			ServiceID: service, ExternalID: o.ExternalID,
		}); err != nil {
			return err
		}
		ticket, err = s.store.GetTicketByExternalID(ctx, sqlc.GetTicketByExternalIDParams{ServiceID: service, ExternalID: o.ExternalID})
		switch {
		case errors.Is(err, store.ErrNoRows):
			created = true
			ticket, err = s.create(ctx, actor, o)
			return err
		case err == nil && (!o.Upsert || ticket.UserID != actor.ID && !actor.IsStaff()):
			return errExternalIDTaken()
		}
		return err
	})
	return ticket, created, err
}

// serviceOf returns the service of an actor, nil for none.
func serviceOf(actor auth.Actor) *uuid.UUID {
	if actor.ServiceID == uuid.Nil {
		return nil
	}
	return &actor.ServiceID
}
