package assistant

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/conversation"
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
	store         *store.Store
	writer        *writer.Writer
	models        *upstream.Models
	conversations *conversation.Service
	budget        Budget
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
	// kind is what staff ask for; empty is an answer.
	kind sqlc.AIResponseKind
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
	if errors.Is(err, errSpent) {
		return claim{}, cl.budget.spent(ctx, cl.store, actor.ID)
	}
	if err == nil && c.started {
		store.AfterCommit(ctx, func() { cl.writer.Start(context.WithoutCancel(ctx), c.response, c.conversation) })
	}
	return c, err
}

// Begun is what has become of an answer that was asked for along with something else.
type Begun struct {
	// ID is the response's; the nil UUID while an earlier turn's answer must end first.
	ID uuid.UUID
	// Refused is why no answer begins, or nil.
	Refused *apperr.Error
}

// Respond runs say, which adds what the actor says to the ticket, and starts the answer to it in one transaction. When no answer
// begins, what was said stays, and Begun says why. It returns what say returns.
func (s *Service) Respond(ctx context.Context, actor auth.Actor, ticketID uuid.UUID, say func(context.Context) error) (Begun, error) {
	var begun Begun
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		begun = Begun{}
		if err := say(ctx); err != nil {
			return err
		}
		if !actor.InScope(auth.ScopeAI) {
			begun.Refused = apperr.New(apperr.Forbidden, "The API key does not have the scope ai.")
			return nil
		}
		c, err := s.claims.startOrJoin(ctx, actor, ticketID, Request{})
		switch {
		case err == nil && !sees(actor, c.response):
			begun.Refused = apperr.From(errInReview())
		case err == nil && !c.waiting:
			begun.ID = c.response.ID
		case isRefusal(err):
			begun.Refused, err = apperr.From(err), nil
		}
		return err
	})
	return begun, err
}

// isRefusal reports whether no answer begins for a reason that a transaction survives.
func isRefusal(err error) bool {
	switch apperr.From(err).Code {
	case apperr.AIDisabled, apperr.AIInReview, apperr.HandedOff, apperr.NothingToAnswer, apperr.AIQuota, apperr.ServerBusy,
		apperr.AIOverloaded, apperr.AIMisconfigured, apperr.Draining:
		return true
	default:
		return false
	}
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
	if err := cl.store.LockTicketAhead(store.Ahead(ctx), sqlc.LockTicketAheadParams{
		ID: by.ticketID, ActorID: by.actor.ID, Staff: by.actor.IsStaff(),
	}); err != nil {
		return err
	}
	if by.kind != "" {
		return cl.claimAsked(ctx, c, by)
	}
	turn, err := cl.store.FindTurn(ctx, sqlc.FindTurnParams{
		ID: by.ticketID, ActorID: by.actor.ID, Staff: by.actor.IsStaff(), PauseSeconds: int32(failurePause.Seconds()),
	})
	if err != nil {
		return store.NotFound(err)
	}
	found := by.find(turn)
	if found == uuid.Nil {
		return cl.begin(ctx, turn, c, by)
	}
	c.waiting = found == turn.RunningID && !turn.RunningAnswersTurn
	c.response, err = cl.store.GetAIResponse(store.Last(ctx), found)
	if err == nil && c.response.MessageID != nil && !sees(by.actor, c.response) {
		return errNothingToAnswer() // Staff have published a draft.
	}
	return err
}

// find returns the turn's response, if there is one: the one being written, a draft, or the answer that stands, which customers
// keep until a draft takes its place. The nil UUID asks for a new one. A draft that was discarded is made again when staff ask for
// it, and no customer replaces a draft.
func (by claimant) find(turn sqlc.FindTurnRow) uuid.UUID {
	staff := by.actor.IsStaff()
	switch {
	case turn.RunningAnswersTurn:
		return turn.RunningID
	case turn.StandingID != uuid.Nil && !staff && !by.Regenerate:
		return turn.StandingID
	case turn.DraftID != uuid.Nil && !staff, turn.DraftWaits && !by.Regenerate, turn.DraftID != uuid.Nil && by.reading:
		return turn.DraftID
	case turn.StandingID != uuid.Nil && !by.Regenerate:
		return turn.StandingID
	default:
		return turn.RunningID
	}
}

// sees reports whether the actor, who sees the ticket, sees a response in it. Drafts are for staff.
func sees(actor auth.Actor, response sqlc.AIResponse) bool {
	return response.CustomerID != nil || actor.IsStaff()
}

// errInReview is what a customer gets whose answer staff look at first.
func errInReview() error {
	return apperr.New(apperr.AIInReview, "Staff review the AI's answer; it comes as a message of the ticket.")
}

func errNothingToAnswer() error {
	return apperr.New(apperr.NothingToAnswer, "The newest message of the ticket is not the customer's.")
}

const (
	// failurePause is how long at least a turn that has failed is not begun again, unless somebody asks for that explicitly.
	failurePause = 5 * time.Second
	// drainingPause is when to ask again, at another replica.
	drainingPause = time.Second
)

// begin makes the response, unless there is a reason not to.
func (cl *claimer) begin(ctx context.Context, turn sqlc.FindTurnRow, c *claim, by claimant) error {
	if err := cl.mayBegin(turn, by); err != nil {
		return err
	}
	var message *uuid.UUID
	if turn.TurnMessageID != uuid.Nil {
		message = &turn.TurnMessageID
	}
	var err error
	if c.conversation, err = cl.conversations.To(ctx, turn.PromptVersion, turn.Ticket, message); err != nil {
		return err
	}
	if err := cl.writer.Reserve(c.response.ID); err != nil {
		return err
	}
	if err := cl.budget.lock(ctx, cl.store, by.actor.ID); err != nil {
		return err
	}
	customer, review := &turn.Ticket.UserID, (*sqlc.AIReview)(nil)
	if turn.Ticket.AIMode == sqlc.AIModeDraft {
		customer, review = nil, new(sqlc.AIReviewPending)
	}
	c.started = true
	c.response, err = cl.store.CreateAIResponse(store.Last(ctx), sqlc.CreateAIResponseParams{
		ID: c.response.ID, TicketID: turn.Ticket.ID, TurnMessageID: message, RequestedBy: &by.actor.ID,
		Kind: sqlc.AIResponseKindAnswer, CustomerID: customer, Review: review, PromptVersion: turn.PromptVersion,
		Model: cmp.Or(by.Model, cl.models.Default()), OwnerID: cl.writer.ID(), LeaseSeconds: int32(writer.LeaseDuration.Seconds()),
		MaxRunning: cl.budget.Running, MaxPerMinute: cl.budget.PerMinute, MaxPerDay: cl.budget.PerDay,
	})
	if errors.Is(err, store.ErrNoRows) {
		return errSpent
	}
	return err
}

// mayBegin returns why no answer to the turn may begin, as far as that is no matter of the budget.
func (cl *claimer) mayBegin(turn sqlc.FindTurnRow, by claimant) error {
	drafts := turn.Ticket.AIMode == sqlc.AIModeDraft
	switch {
	case by.reading && turn.Failure != "" && drafts && !by.actor.IsStaff():
		return errInReview()
	case by.reading && turn.Failure != "":
		return eventlog.Failure(apperr.Code(turn.Failure)).After(seconds(turn.FailureSeconds))
	case turn.Ticket.Status == sqlc.TicketStatusClosed:
		return ticket.ErrClosed()
	case turn.StaffSpokeLast:
		return errNothingToAnswer()
	case turn.Ticket.HandoffReason != nil:
		return apperr.New(apperr.HandedOff, "The ticket was handed off to humans.")
	case turn.Ticket.AIMode == sqlc.AIModeOff:
		return apperr.New(apperr.AIDisabled, "AI answers are switched off in this ticket.")
	}
	if err := cl.models.Check(by.Model); err != nil {
		return writer.Failure(err)
	}
	if !by.admitted {
		return errDraining()
	}
	return nil
}

func errDraining() error {
	return apperr.New(apperr.Draining, "The server is shutting down.").After(drainingPause)
}
