package assistant

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/conversation"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/assistant/writer"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
)

// StartStaffRequest starts a staff request, and does not wait for it. started is false when it returns the ticket's running response
// of that kind, or a summary that is still current. New messages do not end the response, and the ticket's AI mode does
// not matter.
//
// It returns NotFound; ValidationFailed for a model that is not offered; AIDisabled when there is no AI; AIQuota;
// AIOverloaded, ServerBusy and Draining when this server cannot start it now.
func (s *Service) StartStaffRequest(
	ctx context.Context, actor auth.Actor, ticketID uuid.UUID, kind sqlc.AIResponseKind, model string,
) (response sqlc.AIResponse, started bool, err error) {
	c, err := s.claims.startOrJoin(ctx, actor, ticketID, Request{Model: model, kind: kind})
	return c.response, c.started(), err
}

// claimStaffRequest finds the response to a staff request, or creates one. The locks are sent ahead.
func (cl *claimer) claimStaffRequest(ctx context.Context, c *claim, by claimant) error {
	request, err := cl.store.FindStaffRequest(ctx, sqlc.FindStaffRequestParams{
		ID: by.ticketID, Kind: by.kind, ActorID: by.actor.ID, Staff: by.actor.IsStaff(),
	})
	if err != nil {
		return store.NotFound(err)
	}
	found := request.RunningID
	if found == uuid.Nil && by.kind == sqlc.AIResponseKindSummarize {
		found = request.StandingID
	}
	if found != uuid.Nil {
		c.response.ID = found
		return nil
	}
	return cl.createStaffRequest(ctx, request, c, by)
}

// createStaffRequest creates the response to a staff request for this replica to write.
func (cl *claimer) createStaffRequest(
	ctx context.Context, request sqlc.FindStaffRequestRow, c *claim, by claimant,
) (err error) {
	if err := cl.prepare(c.response.ID, by); err != nil {
		return err
	}
	c.conversation = func(ctx context.Context) (upstream.Conversation, error) {
		return cl.conversations.ForStaff(ctx, by.kind, request.PromptVersion, request.Ticket)
	}
	c.response, err = cl.store.CreateAIResponse(store.Last(ctx), sqlc.CreateAIResponseParams{
		ID: c.response.ID, TicketID: request.Ticket.ID, Kind: by.kind, Model: cl.modelFor(by), RequestedBy: idOrNil(by.actor.ID),
		OwnerID: cl.writer.ID(), LeaseSeconds: int32(writer.LeaseDuration.Seconds()), PromptVersion: request.PromptVersion,
		TicketVersion: request.Ticket.Version + request.Ticket.NoteVersion,
		MaxRunning:    cl.budget.Running, MaxPerMinute: cl.budget.PerMinute, MaxPerDay: cl.budget.PerDay,
	})
	if errors.Is(err, store.ErrNoRows) {
		return errSpent
	}
	return err
}

// Triage is the AI's triage of a ticket.
type Triage = conversation.Triage

// TriageOf returns the triage of a response, nil unless it is complete.
func TriageOf(response sqlc.AIResponse) *Triage {
	if response.Kind != sqlc.AIResponseKindTriage || response.Content == nil {
		return nil
	}
	triage, err := conversation.ParseTriage(*response.Content)
	if err != nil {
		return nil // It was validated when it was stored.
	}
	return &triage
}

// ApplyTriage sets a ticket's priority to that of a triage and adds its tags. It leaves the hand-off to staff. It returns
// NotFound, NothingToApply unless the response is a complete triage, and the errors of ticket.Service.Update.
func (s *Service) ApplyTriage(ctx context.Context, actor auth.Actor, id uuid.UUID) (applied ticket.View, err error) {
	response, err := s.Get(ctx, actor, id)
	if err != nil {
		return ticket.View{}, err
	}
	triage := TriageOf(response)
	if triage == nil {
		return ticket.View{}, apperr.New(apperr.NothingToApply, "The AI response is not a complete triage.")
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		before, err := ticket.Lock(ctx, s.store, actor, response.TicketID)
		if err != nil {
			return err
		}
		tags := ticket.AddTags(before.Tags, triage.Tags)
		applied, err = s.tickets.Update(ctx, actor, response.TicketID, ticket.Change{Priority: triage.Priority, Tags: &tags}, nil)
		return err
	})
	return applied, err
}
