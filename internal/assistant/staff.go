package assistant

import (
	"cmp"
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/conversation"
	"github.com/supportbackend/support/internal/assistant/writer"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
)

// Ask starts a response of a kind that staff ask for, and does not wait for it. started is false when it returns the response of
// that kind that is being written in the ticket, or the summary of the ticket as it is now. Messages in the ticket do not end the
// response, and the ticket's AI mode does not matter.
//
// It returns NotFound; ValidationFailed for a model that is not offered; AIDisabled when there is no AI; AIQuota;
// AIOverloaded, ServerBusy and Draining when this server cannot start it now.
func (s *Service) Ask(
	ctx context.Context, actor auth.Actor, ticketID uuid.UUID, kind sqlc.AIResponseKind, model string,
) (response sqlc.AIResponse, started bool, err error) {
	c, err := s.claims.startOrJoin(ctx, actor, ticketID, Request{Model: model, kind: kind})
	return c.response, c.started, err
}

// claimAsked finds the response that staff ask for, or makes one. The ticket is about to be locked.
func (cl *claimer) claimAsked(ctx context.Context, c *claim, by claimant) error {
	asked, err := cl.store.FindAsked(ctx, sqlc.FindAskedParams{
		ID: by.ticketID, Kind: by.kind, ActorID: by.actor.ID, Staff: by.actor.IsStaff(),
	})
	if err != nil {
		return store.NotFound(err)
	}
	found := asked.RunningID
	if found == uuid.Nil && by.kind == sqlc.AIResponseKindSummarize {
		found = asked.StandingID
	}
	if found != uuid.Nil {
		c.response, err = cl.store.GetAIResponse(store.Last(ctx), found)
		return err
	}
	return cl.beginAsked(ctx, asked, c, by)
}

func (cl *claimer) beginAsked(ctx context.Context, asked sqlc.FindAskedRow, c *claim, by claimant) (err error) {
	if err := cl.models.Check(by.Model); err != nil {
		return writer.Failure(err)
	}
	if !by.admitted {
		return errDraining()
	}
	if c.conversation, err = cl.conversations.ForStaff(ctx, by.kind, asked.PromptVersion, asked.Ticket); err != nil {
		return err
	}
	if err := cl.writer.Reserve(c.response.ID); err != nil {
		return err
	}
	if err := cl.budget.lock(ctx, cl.store, by.actor.ID); err != nil {
		return err
	}
	c.started = true
	c.response, err = cl.store.CreateAIResponse(store.Last(ctx), sqlc.CreateAIResponseParams{
		ID: c.response.ID, TicketID: asked.Ticket.ID, RequestedBy: requester(by.actor), Kind: by.kind,
		PromptVersion: asked.PromptVersion, TicketVersion: new(asked.Ticket.Version + asked.Ticket.NoteVersion),
		Model: cmp.Or(by.Model, cl.models.Default()), OwnerID: cl.writer.ID(), LeaseSeconds: int32(writer.LeaseDuration.Seconds()),
		MaxRunning: cl.budget.Running, MaxPerMinute: cl.budget.PerMinute, MaxPerDay: cl.budget.PerDay,
	})
	if errors.Is(err, store.ErrNoRows) {
		return errSpent
	}
	return err
}

// Triage is what the AI thinks of a ticket.
type Triage = conversation.Triage

// TriageOf returns what a response says, or nil unless it is a complete triage.
func TriageOf(response sqlc.AIResponse) *Triage {
	if response.Kind != sqlc.AIResponseKindTriage || response.Content == nil {
		return nil
	}
	triage, err := conversation.ParseTriage(*response.Content)
	if err != nil {
		return nil // It was checked when it was stored.
	}
	return &triage
}

// Apply gives a ticket the priority and the tags of a triage, besides the tags that it has. Whether to hand it off is for
// staff to decide. It returns NotFound, NothingToApply unless the response is a complete triage, and what ticket.Service.Update
// returns.
func (s *Service) Apply(ctx context.Context, actor auth.Actor, id uuid.UUID) (applied ticket.View, err error) {
	response, err := s.Get(ctx, actor, id)
	if err != nil {
		return ticket.View{}, err
	}
	triage := TriageOf(response)
	if triage == nil {
		return ticket.View{}, apperr.New(apperr.NothingToApply, "The AI response is no complete triage.")
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		before, err := ticket.Lock(ctx, s.store, actor, response.TicketID)
		if err != nil {
			return err
		}
		tags := ticket.AddTags(before.Tags, triage.Tags)
		applied, err = s.tickets.Update(ctx, actor, response.TicketID, ticket.Change{Priority: triage.Priority, Tags: &tags},
			func(int64) bool { return true })
		return err
	})
	return applied, err
}
