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
	// response has only its id until the claim is committed, unless this call has created it.
	response sqlc.AIResponse
	// conversation is set if this call has created the response, and must generate it.
	conversation func(context.Context) (upstream.Conversation, error)
	// waiting means that the response answers an earlier turn, and must end before this turn's can begin.
	waiting bool
}

// started reports whether this call has created the response.
func (c claim) started() bool { return c.conversation != nil }

// Request holds the options of a request for an answer.
type Request struct {
	// Regenerate requests another answer to an answered turn.
	Regenerate bool
	// Model is one of Options.Models; empty is the first of them.
	Model string
	// reading means that the request is a read, which browsers and proxies may repeat: it must not restart a turn that
	// has just failed.
	reading bool
	// afterMessage means that the actor has just added a message, and asks for the answer to that one. Only the
	// customer's messages are answered.
	afterMessage bool
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
	switch {
	case errors.Is(err, errSpent):
		return claim{}, cl.budget.spent(ctx, cl.store, actor.ID)
	case err != nil:
		return claim{}, err
	case c.started():
		store.AfterCommit(ctx, func() { cl.writer.Start(context.WithoutCancel(ctx), c.response, c.conversation) })
	default:
		c.response, err = cl.join(ctx, c.response.ID, actor)
	}
	return c, err
}

// join returns the response that the claim has found. It returns NothingToAnswer if the caller must not see it.
func (cl *claimer) join(ctx context.Context, id uuid.UUID, actor auth.Actor) (sqlc.AIResponse, error) {
	response, err := cl.store.GetAIResponse(ctx, id)
	if err == nil && response.MessageID != nil && !sees(actor, response) {
		err = errNothingToAnswer() // Staff have published a draft.
	}
	return response, store.NotFound(err)
}

// Outcome is the result of requesting an answer together with a message.
type Outcome struct {
	// ID is the response's id; the nil UUID while an earlier turn's answer must end first.
	ID uuid.UUID
	// Refused says why no answer starts; nil when one does.
	Refused *apperr.Error
}

// Respond runs add, which adds the actor's message to the ticket, and starts the answer to it, in one transaction. If
// no answer starts, the message stays, and the Outcome has the reason. It returns the errors of add.
func (s *Service) Respond(ctx context.Context, actor auth.Actor, ticketID uuid.UUID, add func(context.Context) error) (Outcome, error) {
	var outcome Outcome
	err := s.store.InTx(ctx, func(ctx context.Context) error {
		outcome = Outcome{}
		if err := add(ctx); err != nil {
			return err
		}
		if !actor.InScope(auth.ScopeAI) {
			outcome.Refused = apperr.New(apperr.Forbidden, "The API key does not have the scope ai.")
			return nil
		}
		c, err := s.claims.startOrJoin(ctx, actor, ticketID, Request{afterMessage: true})
		switch {
		case err == nil && !sees(actor, c.response):
			outcome.Refused = apperr.From(errInReview())
		case err == nil && !c.waiting:
			outcome.ID = c.response.ID
		case isRefusal(err):
			outcome.Refused, err = apperr.From(err), nil
		}
		return err
	})
	return outcome, err
}

// isRefusal reports whether the error refuses an answer without failing the transaction. TicketClosed is among
// them: a closed ticket takes no new message, so this one was there before.
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
	if err := cl.budget.lock(ctx, cl.store, by.actor.ID); err != nil {
		return err
	}
	if by.kind != "" {
		return cl.claimStaffRequest(ctx, c, by)
	}
	unready := cl.prepare(c.response.ID, by)
	turn, err := cl.store.ClaimTurn(store.Last(ctx), sqlc.ClaimTurnParams{
		TicketID: by.ticketID, ActorID: by.actor.ID, Staff: by.actor.IsStaff(),
		Regenerate: by.Regenerate, Reading: by.reading, AfterMessage: by.afterMessage, PauseSeconds: int32(failurePause.Seconds()),
		MayWrite: unready == nil, ID: c.response.ID, Model: cl.modelFor(by),
		OwnerID: cl.writer.ID(), LeaseSeconds: int32(writer.LeaseDuration.Seconds()),
		MaxRunning: cl.budget.Running, MaxPerMinute: cl.budget.PerMinute, MaxPerDay: cl.budget.PerDay,
	})
	switch {
	case err != nil:
		return store.NotFound(err)
	case turn.CreatedAt != nil:
		cl.began(c, by, turn)
		return nil
	case turn.FoundID != uuid.Nil:
		c.response.ID, c.waiting = turn.FoundID, turn.Waiting
		return nil
	default:
		return cmp.Or(refusal(turn), unready, errSpent)
	}
}

// prepare returns why this replica may not write for the claimant. Otherwise it reserves a place for the response.
func (cl *claimer) prepare(id uuid.UUID, by claimant) error {
	if err := cl.models.Check(by.Model); err != nil {
		return writer.Failure(err)
	}
	if !by.admitted {
		return errDraining()
	}
	return cl.writer.Reserve(id)
}

func (cl *claimer) modelFor(by claimant) string { return cmp.Or(by.Model, cl.models.Default()) }

// idOrNil returns nil for the nil UUID.
func idOrNil(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// began sets the response to the one that ClaimTurn has created, and how to read its conversation.
func (cl *claimer) began(c *claim, by claimant, turn sqlc.ClaimTurnRow) {
	message := idOrNil(turn.TurnMessageID)
	customer, review := &turn.Ticket.UserID, (*sqlc.AIReview)(nil)
	if turn.Ticket.AIMode == sqlc.AIModeDraft {
		customer, review = nil, new(sqlc.AIReviewPending)
	}
	c.response = sqlc.AIResponse{
		ID: c.response.ID, TicketID: turn.Ticket.ID, TurnMessageID: message, Status: sqlc.AIResponseStatusStreaming,
		Attempt: 1, Model: cl.modelFor(by), LeaseExpiresAt: *turn.LeaseExpiresAt, CreatedAt: *turn.CreatedAt,
		OwnerID: new(cl.writer.ID()), RequestedBy: &by.actor.ID, HasEvents: true, Kind: sqlc.AIResponseKindAnswer,
		CustomerID: customer, Review: review, PromptVersion: turn.PromptVersion,
	}
	c.conversation = func(ctx context.Context) (upstream.Conversation, error) {
		return cl.conversations.ForTurn(ctx, turn.PromptVersion, turn.Ticket, message)
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

// refusal returns why nobody may answer the turn, or nil.
func refusal(turn sqlc.ClaimTurnRow) error {
	switch code := apperr.Code(turn.Refusal); code {
	case "":
		return nil
	case apperr.AIInReview:
		return errInReview()
	case apperr.TicketClosed:
		return ticket.ErrClosed(turn.Ticket)
	case apperr.NothingToAnswer:
		return errNothingToAnswer()
	case apperr.HandedOff:
		return apperr.New(code, "The ticket was handed off to humans.")
	case apperr.AIDisabled:
		return apperr.New(code, "AI answers are off in this ticket.")
	default:
		return eventlog.Failure(code).After(seconds(turn.FailureSeconds))
	}
}

func errDraining() error {
	return apperr.New(apperr.Draining, "The server is shutting down.").After(drainingPause)
}
