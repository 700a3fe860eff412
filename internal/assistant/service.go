// Package assistant is the front door of AI responses: it starts, reads, lists and cancels them.
//
// A response belongs to a turn of a ticket, the newest thing its customer said, and not to the request that asked for it.
// Its events are a log in the database, and any number of readers watch it, from any replica. [Service] is the door
// (service.go, and page.go for lists and polls). A [Reader] that asks for the answer to a turn is led to its first event by
// an opening (reader.go, opening.go), which claims the turn: it joins the response that is there, or creates one (claim.go)
// if the customer's [Budget] allows that (budget.go). Staff review drafts (review.go), preview prompts (preview.go), and ask for
// suggested replies, summaries and triages (staff.go); a rule may triage new tickets (rule.go). Chat clients resume, stop
// and regenerate answers (running.go). [Plan] prepares the database's connections for answers (plan.go). Package
// conversation assembles what is sent upstream, package writer writes the response, package eventlog has its events for
// readers, and package upstream picks the model.
package assistant

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/conversation"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/assistant/writer"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/prompt"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
)

// Options configure a Service.
type Options struct {
	// Client is the upstream; nil turns answers off.
	Client *groq.Client
	// Models are the names of the models at the upstream, at least one. The first one answers; each of the others is a
	// fallback for those before it.
	Models []string
	// Tickets applies triages.
	Tickets *ticket.Service
	// Triage says whether the AI triages new tickets without being asked.
	Triage TriageRule
	// Prompts has the versions of the desk's prompt.
	Prompts *prompt.Service
	// MaxTokens limits the tokens of an answer, reasoning included.
	MaxTokens int
	// Budget limits the answers of each user.
	Budget Budget
	// MaxRunning limits the answers that this replica writes at a time.
	MaxRunning int
	// Patience is how long Open waits for the first event.
	Patience time.Duration
	// Encode returns an event's frame on the wire; nil encodes nothing. It is called once for each event.
	Encode func(eventlog.Event) []byte
	// Metrics receives the service's metrics.
	Metrics *metrics.Set
	// Logger receives a line when an answer ends, and failures of the upstream and of background work.
	Logger *slog.Logger
}

// Service starts answers and lets readers follow them, between Run and Drain.
type Service struct {
	store    *store.Store
	tickets  *ticket.Service
	prompts  *prompt.Service
	triage   TriageRule
	patience time.Duration
	hub      *eventlog.Hub
	writer   *writer.Writer
	claims   *claimer
}

// NewService returns a Service. Run runs it.
func NewService(s *store.Store, o Options) *Service {
	if o.Encode == nil {
		o.Encode = func(eventlog.Event) []byte { return nil }
	}
	models := upstream.NewModels(o.Client, o.Models, o.MaxTokens, o.Metrics)
	c := conversation.NewService(s, o.Prompts)
	hub := eventlog.NewHub(s, o.Encode, o.Logger)
	w := writer.New(s, writer.Options{
		Hub: hub, Models: models, MaxRunning: o.MaxRunning, Metrics: o.Metrics, Logger: o.Logger,
		Conversation: c.ForResponse, Format: conversation.FormatOf,
	})
	return &Service{
		store: s, tickets: o.Tickets, prompts: o.Prompts, triage: o.Triage, patience: o.Patience, hub: hub, writer: w,
		claims: &claimer{store: s, writer: w, models: models, conversations: c, budget: o.Budget},
	}
}

// Run does the work behind answers and readers until ctx ends, which must not be before Drain has returned.
func (s *Service) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { s.hub.Run(ctx) })
	loops.Go(func() { s.writer.Run(ctx) })
	loops.Wait()
}

// Tasks returns the periodic tasks, which one of the replicas runs.
func (s *Service) Tasks() []background.Task { return append(s.writer.Tasks(), s.triageTasks()...) }

// Drain lets running answers finish and starts no new ones. If ctx ends first, it hands the remaining answers over to
// another replica, which continues them at once. Then it tells readers of answers on other replicas to reconnect.
func (s *Service) Drain(ctx context.Context) {
	s.writer.Drain(ctx)
	s.hub.Close()
}

// Running returns how many answers this replica is writing.
func (s *Service) Running() int { return s.writer.Running() }

// Start starts the answer to the ticket's turn and does not wait for it. started is false when it returns the ticket's
// running response, or the turn's current one, which the request does not regenerate.
//
// It returns NotFound; NothingToAnswer when the newest message is by staff; TicketClosed; AIDisabled; HandedOff;
// ValidationFailed for a model that is not offered; AIInReview for customers whose answers staff review, after it has
// started a draft; AIQuota; AIOverloaded, ServerBusy and Draining when this server cannot start it now.
func (s *Service) Start(
	ctx context.Context, actor auth.Actor, ticketID uuid.UUID, r Request,
) (response sqlc.AIResponse, started bool, err error) {
	c, err := s.claims.startOrJoin(ctx, actor, ticketID, r)
	if err == nil && !sees(actor, c.response) {
		// The error rolls back an outer transaction, which must not undo the start of the draft.
		store.AfterEnd(ctx, func() { _, _ = s.claims.startOrJoin(context.WithoutCancel(ctx), actor, ticketID, r) })
		return sqlc.AIResponse{}, false, errInReview()
	}
	return c.response, c.started(), err
}

// Open starts, joins or replays the answer to the ticket's turn. last is the last event that the reader has, or the
// zero EventID. An event of an answer in this ticket resumes that answer and never starts another. For a new reader,
// Open waits for the first event, but no longer than Options.Patience, so that early failures are errors; later
// failures are events.
//
// It returns the errors of Start; eventlog.ErrUpToDate when last is the end; and the errors that end an answer before
// its first word: AITimeout, AIStalled, AIProtocol, AIMisconfigured, ConversationNotAccepted, Cancelled.
//
// The caller closes the Reader.
func (s *Service) Open(ctx context.Context, actor auth.Actor, ticketID uuid.UUID, last eventlog.EventID) (*Reader, error) {
	if last.ResponseID != uuid.Nil {
		response, err := s.Get(ctx, actor, last.ResponseID)
		if err == nil && response.TicketID == ticketID {
			return s.resume(ctx, response, last)
		}
		if err != nil && !apperr.Is(err, apperr.NotFound) {
			return nil, err
		}
	}
	return s.openAnswer(ctx, &opening{actor: actor, ticketID: ticketID, last: last})
}

// OpenAfterMessage is Open for a new reader who has just added a message to the ticket. When it is by staff, it returns
// NothingToAnswer, even if the customer's turn is answered.
func (s *Service) OpenAfterMessage(ctx context.Context, actor auth.Actor, ticketID uuid.UUID) (*Reader, error) {
	return s.openAnswer(ctx, &opening{actor: actor, ticketID: ticketID, afterMessage: true})
}

func (s *Service) openAnswer(ctx context.Context, o *opening) (*Reader, error) {
	o.claims, o.hub = s.claims, s.hub
	if err := o.ask(ctx); err != nil {
		return nil, err
	}
	r := &Reader{opening: o}
	waiting, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	err := r.open(waiting)
	if err == nil || ctx.Err() == nil && waiting.Err() != nil {
		o.late = true
		return r, nil
	}
	r.Close()
	return nil, err
}

// OpenResponse reads a response, running or ended, after the last event that the reader has. It returns NotFound, and
// eventlog.ErrUpToDate when last is the end. The caller closes the Reader.
func (s *Service) OpenResponse(ctx context.Context, actor auth.Actor, id uuid.UUID, last eventlog.EventID) (*Reader, error) {
	response, err := s.Get(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	return s.resume(ctx, response, last)
}

func (s *Service) resume(ctx context.Context, response sqlc.AIResponse, last eventlog.EventID) (*Reader, error) {
	events, err := s.hub.Resume(ctx, response, last)
	if err != nil {
		return nil, err
	}
	return &Reader{events: events}, nil
}

// Get returns a response. It returns NotFound.
func (s *Service) Get(ctx context.Context, actor auth.Actor, id uuid.UUID) (sqlc.AIResponse, error) {
	response, err := s.store.FindAIResponse(ctx, sqlc.FindAIResponseParams{
		ID: id, ActorID: actor.ID, Staff: actor.IsStaff(),
	})
	return response, store.NotFound(err)
}

// Cancel ends a running response on any replica; its writer notices within a second. It changes nothing in a response
// that has ended. It returns the response afterwards, and NotFound.
func (s *Service) Cancel(ctx context.Context, actor auth.Actor, id uuid.UUID) (sqlc.AIResponse, error) {
	_, err := s.store.CancelAIResponse(ctx, sqlc.CancelAIResponseParams{
		ID: id, ActorID: actor.ID, ActorKind: actor.Kind(), Staff: actor.IsStaff(),
	})
	if err != nil {
		return sqlc.AIResponse{}, err
	}
	return s.Get(ctx, actor, id)
}
