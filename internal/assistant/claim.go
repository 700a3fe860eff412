package assistant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
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

// startOrJoin returns the response of the ticket's turn, and starts to write it when there was none.
func (s *Service) startOrJoin(ctx context.Context, actor auth.Actor, ticketID uuid.UUID) (claim, error) {
	admitted := s.admit()
	if admitted {
		defer s.wg.Done()
	}
	c, err := s.claim(ctx, actor, ticketID, admitted)
	if err == nil && c.started {
		err = s.start(ctx, c)
	}
	return c, err
}

// claim returns the turn's response that is being written or complete, or makes one. The lock on the ticket lets one
// caller decide at a time, in all processes.
func (s *Service) claim(
	ctx context.Context, actor auth.Actor, ticketID uuid.UUID, admitted bool,
) (c claim, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return claim{}, fmt.Errorf("assistant: make an id: %w", err)
	}
	err = s.store.InTx(ctx, func(q sqlc.Querier) error {
		c = claim{}
		t, err := ticket.Lock(ctx, q, actor, ticketID)
		if err != nil {
			return err
		}
		turn, err := turnOf(ctx, q, ticketID)
		if err != nil {
			return err
		}
		c.response, err = q.GetAIResponseForTurn(ctx, sqlc.GetAIResponseForTurnParams{
			TicketID: ticketID, TurnMessageID: turn,
		})
		if !errors.Is(err, store.ErrNoRows) {
			return err
		}
		c.response, err = q.GetStreamingAIResponse(ctx, ticketID)
		if !errors.Is(err, store.ErrNoRows) {
			c.waiting = true
			return err
		}
		c.response = sqlc.AIResponse{ID: id, TicketID: ticketID, TurnMessageID: turn}
		return s.begin(ctx, q, t, admitted, &c)
	})
	return c, err
}

// begin makes the response, unless there is a reason not to.
func (s *Service) begin(ctx context.Context, q sqlc.Querier, t sqlc.Ticket, admitted bool, c *claim) error {
	history, err := q.ListLatestMessagesByTicket(ctx, sqlc.ListLatestMessagesByTicketParams{
		TicketID: t.ID, MaxRows: historyMessages,
	})
	if err != nil {
		return err
	}
	switch {
	case t.Status == sqlc.TicketStatusClosed:
		return ticket.ErrClosed()
	case len(history) > 0 && history[len(history)-1].Author == sqlc.MessageAuthorStaff:
		return apperr.New(apperr.NothingToAnswer, "The newest message of the ticket is not the customer's.")
	case s.options.Client == nil:
		return apperr.New(apperr.AIDisabled, "AI answers are switched off on this server.")
	case !admitted:
		return errDraining()
	}
	if c.conversation, err = conversation(t, history, time.Now()); err != nil {
		return err
	}
	c.started = true
	c.response, err = q.CreateAIResponse(ctx, sqlc.CreateAIResponseParams{
		ID: c.response.ID, TicketID: t.ID, TurnMessageID: c.response.TurnMessageID, Model: s.options.Model,
		OwnerID: s.id, LeaseSeconds: int32(leaseDuration.Seconds()),
	})
	return err
}

// conversationOf returns what is sent upstream for a response that is taken over: the conversation up to its turn.
func (s *Service) conversationOf(ctx context.Context, response sqlc.AIResponse) ([]groq.Message, error) {
	t, err := s.store.GetTicketByID(ctx, sqlc.GetTicketByIDParams{ID: response.TicketID, Staff: true})
	if err != nil {
		return nil, err
	}
	history, err := s.store.ListLatestMessagesByTicket(ctx, sqlc.ListLatestMessagesByTicketParams{
		TicketID: t.ID, MaxRows: historyMessages,
	})
	if err != nil {
		return nil, err
	}
	return conversation(t, upTo(history, response.TurnMessageID), time.Now())
}

// upTo returns the messages up to the turn; none when the turn is the ticket's description.
func upTo(history []sqlc.Message, turn *uuid.UUID) []sqlc.Message {
	for i, m := range history {
		if turn != nil && m.ID == *turn {
			return history[:i+1]
		}
	}
	return nil
}

// turnOf returns the customer's newest message, or nil while there is none and the description is the turn.
func turnOf(ctx context.Context, q sqlc.Querier, ticketID uuid.UUID) (*uuid.UUID, error) {
	message, err := q.GetLatestCustomerMessage(ctx, ticketID)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &message.ID, nil
}
