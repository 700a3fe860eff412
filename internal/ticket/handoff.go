package ticket

import (
	"cmp"
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

// Handoff says why a ticket is handed off to humans.
type Handoff struct {
	Reason sqlc.HandoffReason
	// Note is for staff; it may be empty.
	Note string
}

// errHandedOff means that the ticket is already handed off.
var errHandedOff = errors.New("ticket: the ticket is already handed off")

// HandOff hands a ticket off to humans: it turns the AI off until staff turn it on again, and fences an answer that is
// being written or in review. Handing off again changes nothing. It returns NotFound and TicketClosed.
func (s *Service) HandOff(ctx context.Context, actor auth.Actor, id uuid.UUID, h Handoff) (View, error) {
	ticket, err := s.Update(ctx, actor, id, Change{Handoff: &h}, nil)
	if errors.Is(err, errHandedOff) {
		ticket, _, err = s.Get(ctx, actor, id)
	}
	return ticket, err
}

// setAIMode changes a ticket's AI mode. Its customer may turn the AI off, and on again if they turned it off
// themselves; all else is for staff.
func (c Change) setAIMode(t *sqlc.Ticket, actor auth.Actor) error {
	mode := cmp.Or(c.AIMode, t.AIMode)
	switch {
	case c.Handoff != nil && t.HandoffReason != nil:
		return errHandedOff
	case c.Handoff != nil && t.Status == sqlc.TicketStatusClosed:
		return ErrClosed(*t)
	case c.Handoff != nil:
		t.AIMode, t.AIModeBefore = sqlc.AIModeOff, nil
		t.HandoffReason, t.HandedOffBy = &c.Handoff.Reason, &actor.ID
		if c.Handoff.Note != "" {
			t.HandoffNote = &c.Handoff.Note
		}
		return nil
	case c.AIMode == "" || mode == t.AIMode && !actor.IsStaff():
		return nil
	case actor.IsStaff():
		t.AIModeBefore = nil
	case mode == sqlc.AIModeOff:
		before := t.AIMode
		t.AIModeBefore = &before
	case t.AIModeBefore == nil || *t.AIModeBefore != mode:
		return apperr.New(apperr.Forbidden, "Only staff may turn the AI on in this ticket.")
	default:
		t.AIModeBefore = nil
	}
	t.AIMode = mode
	if mode != sqlc.AIModeOff {
		t.HandoffReason, t.HandoffNote, t.HandedOffBy = nil, nil, nil
	}
	return nil
}
