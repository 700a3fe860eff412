package assistant

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
	"github.com/supportbackend/support/internal/uuid7"
)

// claim is what the database says about a ticket's turn.
type claim struct {
	response sqlc.AIResponse
	// started says that this call has made the response, and must write it from the conversation.
	started      bool
	conversation []groq.Message
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
func (s *Service) startOrJoin(ctx context.Context, actor auth.Actor, ticketID uuid.UUID, r Request) (claim, error) {
	admitted := s.admit()
	if admitted {
		defer s.wg.Done()
	}
	id := uuid7.New()
	defer store.AfterEnd(ctx, func() { s.unreserve(id) })
	var c claim
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		c = claim{response: sqlc.AIResponse{ID: id}}
		return s.claim(ctx, &c, claimant{actor: actor, ticketID: ticketID, admitted: admitted, Request: r})
	})
	if err == nil && c.started {
		store.AfterCommit(ctx, func() { s.startClaimed(context.WithoutCancel(ctx), c) })
	}
	return c, err
}

// startClaimed starts to write what was claimed, once the claim is committed. That may be later than the claim, when it was
// part of a larger transaction: a process that has begun to stop meanwhile leaves the response to others.
func (s *Service) startClaimed(ctx context.Context, c claim) {
	if s.admit() {
		defer s.wg.Done()
		if s.start(ctx, c) == nil {
			return
		}
	}
	s.releaseLease(ctx, c.response)
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
func (s *Service) claim(ctx context.Context, c *claim, by claimant) error {
	t, err := ticket.Lock(ctx, s.store, by.actor, by.ticketID)
	if err != nil {
		return err
	}
	turn, err := s.turnOf(ctx, t.ID)
	if err != nil {
		return err
	}
	found, err := s.store.GetAIResponseForTurn(ctx, sqlc.GetAIResponseForTurnParams{TicketID: t.ID, TurnMessageID: turn})
	switch {
	case err != nil && !errors.Is(err, store.ErrNoRows):
		return err
	case err == nil && (found.Status == sqlc.AIResponseStatusStreaming || !by.Regenerate):
		c.response = found
		return nil
	}
	found, err = s.store.GetStreamingAIResponse(ctx, t.ID)
	if !errors.Is(err, store.ErrNoRows) {
		c.response, c.waiting = found, true
		return err
	}
	if by.reading {
		if err := s.recentFailure(ctx, t.ID, turn); err != nil {
			return err
		}
	}
	c.response.TurnMessageID = turn
	return s.begin(ctx, t, c, by)
}

// failurePause is how long at least a turn that has failed is not begun again, unless somebody asks for that explicitly.
const failurePause = 5 * time.Second

// recentFailure returns the failure of a turn that is not to be begun again yet, or what went wrong.
func (s *Service) recentFailure(ctx context.Context, ticketID uuid.UUID, turn *uuid.UUID) error {
	recent, err := s.store.GetRecentAIFailure(ctx, sqlc.GetRecentAIFailureParams{
		TicketID: ticketID, TurnMessageID: turn, PauseSeconds: int32(failurePause.Seconds()),
	})
	if errors.Is(err, store.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return failureWith(apperr.Code(recent.ErrorCode)).After(time.Duration(recent.EndsIn * float64(time.Second)))
}

// begin makes the response, unless there is a reason not to.
func (s *Service) begin(ctx context.Context, t sqlc.Ticket, c *claim, by claimant) error {
	if err := s.mayBegin(ctx, t, by); err != nil {
		return err
	}
	var err error
	if c.conversation, err = s.conversationOf(ctx, t, c.response.TurnMessageID); err != nil {
		return err
	}
	if err := s.reserve(c.response.ID); err != nil {
		return err
	}
	c.started = true
	c.response, err = s.store.CreateAIResponse(ctx, sqlc.CreateAIResponseParams{
		ID: c.response.ID, TicketID: t.ID, TurnMessageID: c.response.TurnMessageID, RequestedBy: &by.actor.ID,
		Model: cmp.Or(by.Model, s.options.Models[0]), OwnerID: s.id, LeaseSeconds: int32(leaseDuration.Seconds()),
	})
	return err
}

// mayBegin returns why no answer may begin in the ticket.
func (s *Service) mayBegin(ctx context.Context, t sqlc.Ticket, by claimant) error {
	newest, err := s.store.GetLatestHumanMessage(ctx, t.ID)
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
	if err := s.upstream.check(by.Model); err != nil {
		return err
	}
	if !by.admitted {
		return errDraining()
	}
	return s.options.Budget.spend(ctx, s.store, by.actor.ID)
}

// conversationOf returns what is sent upstream to answer a turn: the conversation up to there.
func (s *Service) conversationOf(ctx context.Context, t sqlc.Ticket, turn *uuid.UUID) ([]groq.Message, error) {
	if turn == nil {
		return conversation(t, nil, time.Now())
	}
	history, err := s.store.ListConversation(ctx, sqlc.ListConversationParams{
		TicketID: t.ID, TurnMessageID: *turn, MaxEarlier: historyMessages - 1,
	})
	if err != nil {
		return nil, err
	}
	return conversation(t, history, time.Now())
}

// turnOf returns the customer's newest message, or nil while there is none and the description is the turn.
func (s *Service) turnOf(ctx context.Context, ticketID uuid.UUID) (*uuid.UUID, error) {
	message, err := s.store.GetLatestCustomerMessage(ctx, ticketID)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &message.ID, nil
}
