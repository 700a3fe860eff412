package assistant

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/assistant/writer"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
	"github.com/supportbackend/support/internal/uuid7"
)

// claimer finds the response of a ticket's turn, or makes one, which this replica then writes.
type claimer struct {
	store  *store.Store
	writer *writer.Writer
	models *upstream.Models
	budget Budget
}

// claim is what the database says about a ticket's turn.
type claim struct {
	response sqlc.AIResponse
	// started says that this call has made the response, and must write it from the conversation.
	started      bool
	conversation upstream.Conversation
	// waiting says that the response is to an earlier turn, and must end before this turn's can begin.
	waiting bool
}

// Request is what may be asked of an answer.
type Request struct {
	// Regenerate asks for another answer to a turn that is answered.
	Regenerate bool
	// Model is one of Options.Models; empty is the first of them.
	Model string
	// reading says that a reader asks, whose request may be repeated by whatever stands between: a turn that has just
	// failed is not begun again.
	reading bool
}

// startOrJoin returns the response of the ticket's turn, and starts to write it when there was none.
func (cl *claimer) startOrJoin(ctx context.Context, actor auth.Actor, ticketID uuid.UUID, r Request) (claim, error) {
	admitted := cl.writer.Admit()
	if admitted {
		defer cl.writer.Done()
	}
	id := uuid7.New()
	defer store.AfterEnd(ctx, func() { cl.writer.Unreserve(id) })
	var c claim
	err := cl.store.InTx(ctx, func(ctx context.Context) error {
		c = claim{response: sqlc.AIResponse{ID: id}}
		return cl.claim(ctx, &c, claimant{actor: actor, ticketID: ticketID, admitted: admitted, Request: r})
	})
	if err == nil && c.started {
		store.AfterCommit(ctx, func() { cl.writer.Start(context.WithoutCancel(ctx), c.response, c.conversation) })
	}
	return c, err
}

// claimant is who asks for an answer, and for which.
type claimant struct {
	actor    auth.Actor
	ticketID uuid.UUID
	// admitted says that this replica may still start one.
	admitted bool
	Request
}

// claim finds the turn's response that is being written or stands, or makes one. The lock on the ticket lets one caller
// decide at a time, in all processes.
func (cl *claimer) claim(ctx context.Context, c *claim, by claimant) error {
	t, err := ticket.Lock(ctx, cl.store, by.actor, by.ticketID)
	if err != nil {
		return err
	}
	turn, err := cl.turnOf(ctx, t.ID)
	if err != nil {
		return err
	}
	found, err := cl.store.GetAIResponseForTurn(ctx, sqlc.GetAIResponseForTurnParams{TicketID: t.ID, TurnMessageID: turn})
	switch {
	case err != nil && !errors.Is(err, store.ErrNoRows):
		return err
	case err == nil && (found.Status == sqlc.AIResponseStatusStreaming || !by.Regenerate):
		c.response = found
		return nil
	}
	found, err = cl.store.GetStreamingAIResponse(ctx, t.ID)
	if !errors.Is(err, store.ErrNoRows) {
		c.response, c.waiting = found, true
		return err
	}
	if by.reading {
		if err := cl.recentFailure(ctx, t.ID, turn); err != nil {
			return err
		}
	}
	c.response.TurnMessageID = turn
	return cl.begin(ctx, t, c, by)
}

const (
	// failurePause is how long at least a turn that has failed is not begun again, unless somebody asks for that explicitly.
	failurePause = 5 * time.Second
	// drainingPause is when to ask again, at another replica.
	drainingPause = time.Second
)

// recentFailure returns the failure of a turn that is not to be begun again yet, or what went wrong.
func (cl *claimer) recentFailure(ctx context.Context, ticketID uuid.UUID, turn *uuid.UUID) error {
	recent, err := cl.store.GetRecentAIFailure(ctx, sqlc.GetRecentAIFailureParams{
		TicketID: ticketID, TurnMessageID: turn, PauseSeconds: int32(failurePause.Seconds()),
	})
	if errors.Is(err, store.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return eventlog.Failure(apperr.Code(recent.ErrorCode)).After(time.Duration(recent.EndsIn * float64(time.Second)))
}

// begin makes the response, unless there is a reason not to.
func (cl *claimer) begin(ctx context.Context, t sqlc.Ticket, c *claim, by claimant) error {
	if err := cl.mayBegin(ctx, t, by); err != nil {
		return err
	}
	var err error
	if c.conversation, err = conversationOf(ctx, cl.store, t, c.response.TurnMessageID); err != nil {
		return err
	}
	if err := cl.writer.Reserve(c.response.ID); err != nil {
		return err
	}
	c.started = true
	c.response, err = cl.store.CreateAIResponse(ctx, sqlc.CreateAIResponseParams{
		ID: c.response.ID, TicketID: t.ID, TurnMessageID: c.response.TurnMessageID, RequestedBy: &by.actor.ID,
		Model: cmp.Or(by.Model, cl.models.Default()), OwnerID: cl.writer.ID(), LeaseSeconds: int32(writer.LeaseDuration.Seconds()),
	})
	return err
}

// mayBegin returns why no answer may begin in the ticket.
func (cl *claimer) mayBegin(ctx context.Context, t sqlc.Ticket, by claimant) error {
	newest, err := cl.store.GetLatestHumanMessage(ctx, t.ID)
	if err != nil && !errors.Is(err, store.ErrNoRows) {
		return err
	}
	switch {
	case t.Status == sqlc.TicketStatusClosed:
		return ticket.ErrClosed()
	case newest.Author == sqlc.MessageAuthorStaff:
		return apperr.New(apperr.NothingToAnswer, "The newest message of the ticket is not the customer's.")
	case t.AIMode == sqlc.AIModeOff:
		return apperr.New(apperr.AIDisabled, "AI answers are switched off in this ticket.")
	}
	if err := cl.models.Check(by.Model); err != nil {
		return writer.Failure(err)
	}
	if !by.admitted {
		return apperr.New(apperr.Draining, "The server is shutting down.").After(drainingPause)
	}
	return cl.budget.spend(ctx, cl.store, by.actor.ID)
}

// turnOf returns the customer's newest message, or nil while there is none and the description is the turn.
func (cl *claimer) turnOf(ctx context.Context, ticketID uuid.UUID) (*uuid.UUID, error) {
	message, err := cl.store.GetLatestCustomerMessage(ctx, ticketID)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &message.ID, nil
}
