package ticket

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/timestamp"
	"github.com/supportbackend/support/internal/uuid7"
)

// maxTags is the maximum number of a ticket's tags.
const maxTags = 20

// Change is a change of a ticket. Members that are empty or not specified leave their value unchanged; null clears it.
type Change struct {
	Status     sqlc.TicketStatus
	AIMode     sqlc.AIMode
	Priority   sqlc.TicketPriority
	AssigneeID nullable.Nullable[uuid.UUID]
	TeamID     nullable.Nullable[uuid.UUID]
	// Tags replaces the ticket's tags.
	Tags *[]string
	// CustomFields sets these fields, and removes those that are nil; other fields stay.
	CustomFields map[string]any
	ExternalID   nullable.Nullable[string]
	// SnoozedUntil is a future time (RFC 3339).
	SnoozedUntil nullable.Nullable[string]
	// Handoff hands the ticket off to humans.
	Handoff *Handoff
}

// isForStaff reports whether only staff may make the change.
func (c Change) isForStaff() bool {
	return c.Priority != "" || c.Tags != nil || c.CustomFields != nil || c.AssigneeID.IsSpecified() || c.TeamID.IsSpecified() ||
		c.ExternalID.IsSpecified() || c.SnoozedUntil.IsSpecified()
}

// triages reports whether the change sets something that the AI's triage also sets.
func (c Change) triages() bool {
	return c.Priority != "" || c.Tags != nil || c.AIMode != "" || c.Handoff != nil
}

// Update makes a change in a ticket, all of it or nothing. accept reports whether the caller accepts the ticket's
// version; nil accepts all. Closing the ticket, or changing its AI mode, fences an AI answer that is being written or in
// review. It returns NotFound, Forbidden for a change that only staff may make, PreconditionFailed for a version that is
// not accepted, InvalidTransition, ExternalIDTaken, RateLimited for a customer who has used up the budget for the day,
// and ValidationFailed for an unusable assignee or team and for too many custom fields.
func (s *Service) Update(
	ctx context.Context, actor auth.Actor, id uuid.UUID, change Change, accept func(version int64) bool,
) (ticket View, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		before, err := Lock(ctx, s.store, actor, id)
		if err != nil {
			return err
		}
		if accept != nil && !accept(before.Version) {
			return ErrChanged()
		}
		ticket, err = s.change(ctx, actor, before, change)
		return err
	})
	if store.IsUniqueViolation(err, "tickets_service_id_external_id_key") {
		err = errExternalIDTaken()
	}
	return ticket, err
}

// change makes a change in a ticket that the transaction has locked. Call it last: its last statement also commits, unless
// the transaction belongs to a caller.
func (s *Service) change(ctx context.Context, actor auth.Actor, before sqlc.Ticket, change Change) (View, error) {
	after, err := change.apply(before, actor)
	if err != nil {
		return View{}, err
	}
	if err := s.checkChange(ctx, change, after.SnoozedUntil); err != nil {
		return View{}, err
	}
	if err := s.countChange(ctx, actor, 0); err != nil {
		return View{}, err
	}
	if after.Status == sqlc.TicketStatusClosed || after.AIMode != before.AIMode {
		if _, err := s.store.SupersedeAIResponses(ctx, sqlc.SupersedeAIResponsesParams{
			TicketID: before.ID, ActorKind: actor.Kind(), ActorID: &actor.ID, Answers: true,
		}); err != nil {
			return View{}, err
		}
	}
	params := s.update(actor, before, after)
	params.Triaged = actor.IsStaff() && change.triages()
	updated, err := s.store.UpdateTicket(store.Last(ctx), params)
	return View(updated), err
}

func errExternalIDTaken() error {
	return apperr.New(apperr.ExternalIDTaken, "Another ticket has this external_id.")
}

// update returns UpdateTicket's parameters for an actor's change.
func (s *Service) update(actor auth.Actor, before, after sqlc.Ticket) sqlc.UpdateTicketParams {
	entries := entriesOf(before, after)
	isCustomer := before.UserID == actor.ID
	return sqlc.UpdateTicketParams{
		ID: after.ID, Status: after.Status, AIMode: after.AIMode, AIModeBefore: after.AIModeBefore,
		HandoffReason: after.HandoffReason, HandoffNote: after.HandoffNote, HandedOffBy: after.HandedOffBy, Priority: after.Priority, AssigneeID: after.AssigneeID,
		TeamID: after.TeamID, Tags: after.Tags, CustomFields: after.CustomFields, TicketExternalID: after.ExternalID,
		SnoozedUntil: after.SnoozedUntil, Waits: isCustomer && after.Status != before.Status && after.Status == sqlc.TicketStatusOpen,
		CallerID: &actor.ID, ActorKind: actor.Kind(), AllCustomers: actor.SeesCustomers(), ChangeID: uuid7.New(),
		EntryTypes: entries.types, EntriesShown: entries.shown, EntryData: entries.data,
	}
}

// apply returns the ticket after the actor's change. It returns Forbidden, InvalidTransition and ValidationFailed.
func (c Change) apply(t sqlc.Ticket, actor auth.Actor) (sqlc.Ticket, error) {
	if c.isForStaff() && !actor.IsStaff() {
		return t, apperr.New(apperr.Forbidden, "Only staff may change this.")
	}
	if c.Status != "" {
		if t.MergedInto != nil {
			return t, apperr.New(apperr.InvalidTransition, mergedElsewhere)
		}
		if !isAllowed(t.Status, c.Status, actor.IsStaff()) {
			return t, apperr.New(apperr.InvalidTransition, fmt.Sprintf("A ticket cannot go from %s to %s.", t.Status, c.Status))
		}
		t.Status = c.Status
		if isDone(t.Status) || t.UserID == actor.ID {
			t.SnoozedUntil = nil
		}
	}
	if err := c.setAIMode(&t, actor); err != nil {
		return t, err
	}
	t.Priority = cmp.Or(c.Priority, t.Priority)
	set(&t.AssigneeID, c.AssigneeID)
	set(&t.TeamID, c.TeamID)
	set(&t.ExternalID, c.ExternalID)
	if err := c.snooze(&t); err != nil {
		return t, err
	}
	if t.SnoozedUntil != nil && isDone(t.Status) {
		return t, apperr.New(apperr.InvalidTransition, fmt.Sprintf("A ticket that is %s cannot be snoozed.", t.Status))
	}
	if c.Tags != nil {
		t.Tags = *c.Tags
	}
	if len(t.Tags) > maxTags {
		limit := int64(maxTags)
		return t, apperr.New(apperr.ValidationFailed, "The ticket would have too many tags.").
			At(apperr.Field{Pointer: "/add_tags", Code: apperr.TooLong, Limit: &limit})
	}
	var err error
	t.CustomFields, err = mergeFields(t.CustomFields, c.CustomFields)
	return t, err
}

// set changes a member if the change specifies it.
func set[T any](member **T, change nullable.Nullable[T]) {
	if !change.IsSpecified() {
		return
	}
	*member = nil
	if value, err := change.Get(); err == nil {
		*member = &value
	}
}

// snooze changes when a ticket's snooze ends. It returns ValidationFailed for a time that does not exist.
func (c Change) snooze(t *sqlc.Ticket) error {
	if c.SnoozedUntil.IsNull() {
		t.SnoozedUntil = nil
	}
	text, err := c.SnoozedUntil.Get()
	if err != nil {
		return nil //nolint:nilerr // The change does not set a time.
	}
	until, code := timestamp.Parse(text)
	if code != "" {
		return errSnooze(code)
	}
	t.SnoozedUntil = &until
	return nil
}

func errSnooze(code apperr.FieldCode) error {
	return apperr.New(apperr.ValidationFailed, "The ticket cannot be snoozed until then.").
		At(apperr.Field{Pointer: "/snoozed_until", Code: code})
}

// checkChange checks what only the database knows: whether the time at which the snooze ends has passed, and to whom the
// ticket may be assigned. It returns ValidationFailed.
func (s *Service) checkChange(ctx context.Context, change Change, until *time.Time) error {
	if until != nil && change.SnoozedUntil.IsSpecified() {
		passed, err := s.store.GetHasPassed(ctx, *until)
		if err != nil {
			return err
		}
		if passed {
			return errSnooze(apperr.OutOfRange)
		}
	}
	var assigneeID, teamID *uuid.UUID
	set(&assigneeID, change.AssigneeID)
	set(&teamID, change.TeamID)
	return s.CheckAssignment(ctx, assigneeID, teamID)
}

// CheckAssignment returns ValidationFailed for an account that is not an enabled staff member's, and for a team that
// does not exist. It accepts nil.
func (s *Service) CheckAssignment(ctx context.Context, assigneeID, teamID *uuid.UUID) error {
	if assigneeID == nil && teamID == nil {
		return nil
	}
	may, err := s.store.GetAssignment(ctx, sqlc.GetAssignmentParams{AssigneeID: assigneeID, TeamID: teamID})
	if err != nil || may.ToAccount && may.ToTeam {
		return err
	}
	refused := apperr.New(apperr.ValidationFailed, "The ticket cannot be assigned to this account or team.")
	if !may.ToAccount {
		return refused.At(apperr.Field{Pointer: "/assignee_id", Code: apperr.NotAllowed})
	}
	return refused.At(apperr.Field{Pointer: "/team_id", Code: apperr.NotAllowed})
}
