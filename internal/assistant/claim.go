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

// claimer finds the response of a ticket's turn, or creates one for this replica to write.
type claimer struct {
	store         *store.Store
	writer        *writer.Writer
	models        *upstream.Models
	conversations *conversation.Service
	budget        Budget
}

// claim is the state of a ticket's turn in the database.
type claim struct {
	response sqlc.AIResponse
	// started means that this call has created the response and must generate it from the conversation.
	started      bool
	conversation upstream.Conversation
	// waiting means that the response answers an earlier turn, and must end before this turn's can begin.
	waiting bool
}

// Request holds the options of a request for an answer.
type Request struct {
	// Regenerate requests another answer to an answered turn.
	Regenerate bool
	// Model is one of Options.Models; empty is the first of them.
	Model string
	// reading means that the request is a read, which browsers and proxies may repeat: it must not restart a turn that
	// has just failed.
	reading bool
	// said means that the actor has just added a message, and asks for the answer to that one. Only the customer's
	// messages are answered.
	said bool
	// kind is the kind of a staff request; empty for an answer.
	kind sqlc.AIResponseKind
}

// startOrJoin returns the response of the ticket's turn, or starts one.
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

// Begun is the result of requesting an answer together with a message.
type Begun struct {
	// ID is the response's id; the nil UUID while an earlier turn's answer must end first.
	ID uuid.UUID
	// Refused is why no answer starts, or nil.
	Refused *apperr.Error
}

// Respond runs say, which adds the actor's message to the ticket, and starts the answer to it, in one transaction. If
// no answer starts, the message stays, and Begun has the reason. It returns the errors of say.
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
		c, err := s.claims.startOrJoin(ctx, actor, ticketID, Request{said: true})
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

// isRefusal reports whether the error refuses an answer without failing the transaction. A ticket that is closed had the
// message already.
func isRefusal(err error) bool {
	switch apperr.From(err).Code {
	case apperr.TicketClosed, apperr.AIDisabled, apperr.AIInReview, apperr.HandedOff, apperr.NothingToAnswer, apperr.AIQuota, apperr.ServerBusy,
		apperr.AIOverloaded, apperr.AIMisconfigured, apperr.Draining:
		return true
	default:
		return false
	}
}

// claimant is the caller who requests an answer, with the request.
type claimant struct {
	actor    auth.Actor
	ticketID uuid.UUID
	// admitted means that this replica may still start answers.
	admitted bool
	Request
}

// claim finds the turn's running or current response, or creates one. The ticket's lock lets one caller at a time
// decide, over all processes.
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
	if by.said && by.actor.ID != turn.Ticket.UserID {
		return errNothingToAnswer()
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

// find returns the turn's response: the running one, a draft, or the current answer, which customers keep until a draft
// replaces it. The nil UUID means that a new one is needed. Staff can have a discarded draft written again; customers
// cannot replace a draft.
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

// sees reports whether an actor who may see the ticket may see a response in it. Drafts are for staff.
func sees(actor auth.Actor, response sqlc.AIResponse) bool {
	return response.CustomerID != nil || actor.IsStaff()
}

// errInReview is the error for customers whose answer staff review first.
func errInReview() error {
	return apperr.New(apperr.AIInReview, "Staff review the AI's answer first. It will arrive as a message in the ticket.")
}

func errNothingToAnswer() error {
	return apperr.New(apperr.NothingToAnswer, "The newest message of the ticket is not the customer's.")
}

const (
	// failurePause is the minimum time before a read restarts a failed turn.
	failurePause = 5 * time.Second
	// drainingPause is the Retry-After for trying another replica.
	drainingPause = time.Second
)

// begin creates the response, unless there is a reason not to.
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
	customer, review := &turn.Ticket.UserID, (*sqlc.AIReview)(nil)
	if turn.Ticket.AIMode == sqlc.AIModeDraft {
		customer, review = nil, new(sqlc.AIReviewPending)
	}
	return cl.create(ctx, c, by, sqlc.CreateAIResponseParams{
		TicketID: turn.Ticket.ID, TurnMessageID: message, Kind: sqlc.AIResponseKindAnswer, CustomerID: customer, Review: review,
		PromptVersion: turn.PromptVersion,
	})
}

// create creates a response for this replica to write, if the claimant's budget allows one. The caller sets the turn.
func (cl *claimer) create(ctx context.Context, c *claim, by claimant, response sqlc.CreateAIResponseParams) error {
	if err := cl.writer.Reserve(c.response.ID); err != nil {
		return err
	}
	if err := cl.budget.lock(ctx, cl.store, by.actor.ID); err != nil {
		return err
	}
	response.ID, response.RequestedBy, response.Model = c.response.ID, requester(by.actor), cmp.Or(by.Model, cl.models.Default())
	response.OwnerID, response.LeaseSeconds = cl.writer.ID(), int32(writer.LeaseDuration.Seconds())
	response.MaxRunning, response.MaxPerMinute, response.MaxPerDay = cl.budget.Running, cl.budget.PerMinute, cl.budget.PerDay
	// If a crash of the database loses the answer to a read, its readers ask again.
	response.Async = by.reading
	c.started = true
	var err error
	c.response, err = cl.store.CreateAIResponse(store.Last(ctx), response)
	if errors.Is(err, store.ErrNoRows) {
		return errSpent
	}
	return err
}

// mayBegin returns why no answer to the turn may begin, apart from the budget.
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
		return apperr.New(apperr.AIDisabled, "AI answers are off in this ticket.")
	}
	return cl.mayWrite(by)
}

// mayWrite returns why this replica may not write for the claimant.
func (cl *claimer) mayWrite(by claimant) error {
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
