// Package assistant writes the AI's answers.
//
// An answer belongs to a turn of a ticket, the newest thing its customer said, and not to the request that asked for it:
// the first reader starts it, further readers join it, and it goes on when all of them leave. It is stored once, as a
// message, when it is complete. A row of ai_responses decides who writes it; the process that does keeps its events in
// memory for its readers, and a reader that comes to another process waits there for the end.
package assistant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
)

const (
	// DefaultModel is the model that answers, unless Options says otherwise.
	DefaultModel = "openai/gpt-oss-120b"
	// DefaultMaxTokens is how many tokens an answer takes at most, reasoning included, unless Options says otherwise.
	DefaultMaxTokens = 1024

	// A lease is longer than any answer may take: when it has ended, its writer is gone.
	leaseMargin = 15 * time.Second
	// pollInterval is how often a reader looks for the end of an answer that another process writes.
	pollInterval = 250 * time.Millisecond
)

// ErrUpToDate is returned to a reader that already has the last event.
var ErrUpToDate = errors.New("assistant: the reader has the last event")

// Options are what a Service can be told.
type Options struct {
	// Client is the upstream; nil switches answers off.
	Client *groq.Client
	// Model is the model's name at the upstream; empty means DefaultModel.
	Model string
	// MaxTokens is how many tokens an answer takes at most; 0 means DefaultMaxTokens.
	MaxTokens int
	// TotalTimeout is the longest time that Client takes for an answer.
	TotalTimeout time.Duration
	// Logger gets a line when an answer ends.
	Logger *slog.Logger
}

// Service starts answers and lets readers follow them.
type Service struct {
	store   *store.Store
	options Options

	// ctx is what answers run under: they belong to the process, not to a request.
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	draining bool
	runs     map[uuid.UUID]*run // by ticket
	wg       sync.WaitGroup
}

// NewService returns a Service. Its answers end by themselves; Drain ends them all.
func NewService(s *store.Store, o Options) *Service {
	if o.Model == "" {
		o.Model = DefaultModel
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = DefaultMaxTokens
	}
	ctx, cancel := context.WithCancelCause(context.Background()) //nolint:forbidigo // Answers outlive the requests that start them.
	return &Service{store: s, options: o, ctx: ctx, cancel: cancel, runs: make(map[uuid.UUID]*run)}
}

// Open starts, joins or replays the answer to the ticket's turn. last is the last event that the reader has, or the zero
// EventID. It returns once there is something to read, so that whatever fails before has an error:
//
// NotFound; NothingToAnswer when the newest message is by staff; TicketClosed; AIDisabled; Draining; ErrUpToDate when
// last is the end; and what ends an answer before its first word: AIOverloaded, AITimeout, AIStalled, AIProtocol,
// AIMisconfigured, ConversationNotAccepted, Superseded.
func (s *Service) Open(ctx context.Context, actor auth.Actor, ticketID uuid.UUID, last EventID) (*Reader, error) {
	if err := s.checkEnd(ctx, actor, ticketID, last); err != nil {
		return nil, err
	}
	for {
		response, err := s.startOrJoin(ctx, actor, ticketID)
		if err != nil {
			return nil, err
		}
		if response.Status == sqlc.AIResponseStatusCompleted {
			message, err := s.store.GetMessageByID(ctx, *response.MessageID)
			return replay(response, message, last), err
		}
		if r := s.running(response); r != nil {
			return open(ctx, r, last)
		}
		// Another process writes it. Its end is in the database.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}

// open waits for the first word, or the error in its place.
func open(ctx context.Context, r *run, last EventID) (*Reader, error) {
	events, _, err := r.wait(ctx, 0)
	if err != nil {
		return nil, err
	}
	if failed, ok := events[0].(Failed); ok {
		return nil, failed.Err
	}
	return follow(r, last), nil
}

// checkEnd returns ErrUpToDate when last is the last event of one of the ticket's answers, however that ended: a browser
// that reconnects by itself must not start another one.
func (s *Service) checkEnd(ctx context.Context, actor auth.Actor, ticketID uuid.UUID, last EventID) error {
	if last.Seq == 0 {
		return nil
	}
	response, err := s.store.GetAIResponseByTicket(ctx, sqlc.GetAIResponseByTicketParams{
		ID: last.ResponseID, TicketID: ticketID, ActorID: actor.ID, Staff: actor.IsStaff(),
	})
	switch {
	case errors.Is(err, store.ErrNoRows):
		return nil
	case err != nil:
		return err
	case response.Status != sqlc.AIResponseStatusStreaming && last.Seq == response.LastSeq:
		return ErrUpToDate
	}
	return nil
}

// startOrJoin returns the response of the ticket's turn, and starts to write it when there was none.
func (s *Service) startOrJoin(ctx context.Context, actor auth.Actor, ticketID uuid.UUID) (sqlc.AIResponse, error) {
	admitted := s.admit()
	if admitted {
		defer s.wg.Done()
	}
	c, err := s.claim(ctx, actor, ticketID, admitted)
	if c.started && err == nil {
		s.start(c)
	}
	return c.response, err
}

// claim is what the database says about a ticket's turn.
type claim struct {
	response sqlc.AIResponse
	// started says that this call has made the response, and must write it from the conversation.
	started      bool
	conversation []groq.Message
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
		if _, err := q.FailExpiredAIResponses(ctx, ticketID); err != nil {
			return err
		}
		c.response, err = q.GetAIResponseForTurn(ctx, sqlc.GetAIResponseForTurnParams{
			TicketID: ticketID, TurnMessageID: turn,
		})
		if !errors.Is(err, store.ErrNoRows) {
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
	// An answer to an earlier turn is late: the customer has said more since.
	if _, err := q.SupersedeAIResponses(ctx, t.ID); err != nil {
		return err
	}
	c.started = true
	c.response, err = q.CreateAIResponse(ctx, sqlc.CreateAIResponseParams{
		ID: c.response.ID, TicketID: t.ID, TurnMessageID: c.response.TurnMessageID, Model: s.options.Model,
		LeaseSeconds: int32((s.options.TotalTimeout + leaseMargin).Seconds()),
	})
	return err
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

// start writes a response that this process has claimed.
func (s *Service) start(c claim) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	r := newRun(c.response, cancel)
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.runs[c.response.TicketID]; before != nil {
		before.cancel(errSuperseded())
	}
	s.runs[c.response.TicketID] = r
	s.wg.Go(func() {
		defer cancel(nil)
		s.write(ctx, r, c.conversation)
		s.forget(r)
	})
}

func (s *Service) running(response sqlc.AIResponse) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[response.TicketID]; r != nil && r.response.ID == response.ID {
		return r
	}
	return nil
}

func (s *Service) forget(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs[r.response.TicketID] == r {
		delete(s.runs, r.response.TicketID)
	}
}

// Drain lets running answers finish and starts no new ones. When ctx ends first, those still running fail with Draining.
func (s *Service) Drain(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	finished := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-ctx.Done():
		s.cancel(errDraining())
		<-finished
	}
}

// admit counts a caller in that may start an answer, until it calls s.wg.Done; once draining, nobody is.
func (s *Service) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.draining {
		s.wg.Add(1)
	}
	return !s.draining
}
