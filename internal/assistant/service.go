// Package assistant writes the AI's answers and lets any number of readers watch them, from any replica.
//
// An answer belongs to a turn of a ticket, the newest thing its customer said, and not to the request that asked for it.
// Its events are a log in the database, numbered without holes, and readers are only ever sent what stands there. Five
// parts take part:
//
//   - the owner (owner.go) is the replica that holds a response's lease; it generates the text (generation.go) with one of
//     the models of its upstream (upstream.go);
//   - the committer (committer.go) writes the deltas of all owners of a replica to their logs, many in one statement,
//     and publishes each once it is committed;
//   - the hub (hub.go) holds the feeds, from which the readers of a replica (reader.go) get their events;
//   - the follower (follower.go) reads the logs that other replicas write, for all readers of a replica at once;
//   - the reaper (reaper.go) takes over what a replica has left that is gone: it raises the attempt, so that nothing the
//     old owner still writes has any effect, and starts over with a reset.
//
// The message, the last event and the status of a response commit together, under the ticket's lock, which a human who
// steps in takes as well: one of them wins.
package assistant

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/store"
)

// busyPause is when to ask again while a replica writes as many answers as it may.
const busyPause = time.Second

// ErrUpToDate is returned to a reader that already has the last event.
var ErrUpToDate = errors.New("assistant: the reader has the last event")

// Options are what a Service can be told.
type Options struct {
	// Client is the upstream; nil switches answers off.
	Client *groq.Client
	// Models are the models' names at the upstream. The first one answers, and each other one when those before it
	// cannot. There is at least one.
	Models []string
	// MaxTokens is how many tokens an answer takes at most, reasoning included.
	MaxTokens int
	// Budget is what each user may ask for.
	Budget Budget
	// MaxRunning is how many answers are written here at a time.
	MaxRunning int
	// Patience is how long Open waits for the first event.
	Patience time.Duration
	// Encode makes the frame that an event is on the wire; nil makes none. It is called once for an event.
	Encode func(Event) []byte
	// Metrics gets what the service counts.
	Metrics *metrics.Set
	// Logger gets a line when an answer ends.
	Logger *slog.Logger
}

// Service starts answers and lets readers follow them. It runs until Drain.
type Service struct {
	store   *store.Store
	options Options
	// id is this process's name as an owner. A process that is started again is another one.
	id        uuid.UUID
	upstream  *upstream
	hub       *hub
	committer *committer
	metrics   *engineMetrics

	// ctx is what answers run under: they belong to the process, not to a request.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// loops are the goroutines that run for as long as the service does.
	loops    sync.WaitGroup
	stopLoop context.CancelFunc

	mu       sync.Mutex
	draining bool
	// owners are by response. One that is nil keeps the place of a response that is about to begin.
	owners map[uuid.UUID]*owner
	wg     sync.WaitGroup // answers, and callers who may start one
}

// NewService returns a Service that runs.
func NewService(s *store.Store, o Options) *Service {
	if o.Encode == nil {
		o.Encode = func(Event) []byte { return nil }
	}
	ctx, cancel := context.WithCancelCause(context.Background()) //nolint:forbidigo // Answers outlive the requests that start them.
	loop, stopLoop := context.WithCancel(context.WithoutCancel(ctx))
	id := uuid.New()
	counters := newEngineMetrics(o.Metrics, o.Models)
	service := &Service{
		store: s, options: o, id: id, upstream: newUpstream(o.Client, o.Models, o.MaxTokens), hub: newHub(),
		committer: newCommitter(s.Reserved(), id, o.Encode, counters, o.Logger), metrics: counters,
		ctx: ctx, cancel: cancel, stopLoop: stopLoop, owners: make(map[uuid.UUID]*owner),
	}
	o.Metrics.NewGauge("support_ai_responses_running", func() float64 { return float64(service.Running()) })
	for _, run := range []func(context.Context){
		service.committer.run, service.follow, service.watch, service.reap, service.sweep,
	} {
		service.loops.Go(func() { run(loop) })
	}
	return service
}

// Start starts the answer to the ticket's turn and does not wait for it. started is false when it returns the response
// that is being written in the ticket, or the one that stands and is not to be regenerated.
//
// It returns NotFound; NothingToAnswer when the newest message is by staff; TicketClosed; AIDisabled; ValidationFailed for
// a model that is not offered; AIQuota; AIOverloaded, ServerBusy and Draining when this server cannot start it now.
func (s *Service) Start(
	ctx context.Context, actor auth.Actor, ticketID uuid.UUID, r Request,
) (response sqlc.AIResponse, started bool, err error) {
	c, err := s.startOrJoin(ctx, actor, ticketID, r)
	return c.response, c.started, err
}

// Open starts, joins or replays the answer to the ticket's turn. last is the last event that the reader has, or the zero
// EventID. One of an answer in this ticket resumes that answer and never starts another. For a reader that has none it
// waits for something to read, but no longer than Options.Patience, so that what fails at once has an error; what fails
// later is an event:
//
// What Start returns; ErrUpToDate when last is the end; and what ends an answer before its first word: AITimeout,
// AIStalled, AIProtocol, AIMisconfigured, ConversationNotAccepted, Cancelled.
//
// The caller closes the Reader.
func (s *Service) Open(ctx context.Context, actor auth.Actor, ticketID uuid.UUID, last EventID) (*Reader, error) {
	if last.ResponseID != uuid.Nil {
		response, err := s.Get(ctx, actor, last.ResponseID)
		if err == nil && response.TicketID == ticketID {
			return s.resume(ctx, response, last)
		}
		if err != nil && !apperr.Is(err, apperr.NotFound) {
			return nil, err
		}
	}
	o := &opening{service: s, actor: actor, ticketID: ticketID, last: last}
	if err := o.ask(ctx); err != nil {
		return nil, err
	}
	r := &Reader{hub: s.hub, opening: o}
	waiting, cancel := context.WithTimeout(ctx, s.options.Patience)
	defer cancel()
	err := r.open(waiting)
	if err == nil || ctx.Err() == nil && waiting.Err() != nil {
		o.late = true
		return r, nil
	}
	r.Close()
	return nil, err
}

// OpenResponse reads one response, whether it is being written or has ended, after the last event that the reader has.
// It returns NotFound, and ErrUpToDate when last is the end. The caller closes the Reader.
func (s *Service) OpenResponse(ctx context.Context, actor auth.Actor, id uuid.UUID, last EventID) (*Reader, error) {
	response, err := s.Get(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	return s.resume(ctx, response, last)
}

// Get returns a response. It returns NotFound.
func (s *Service) Get(ctx context.Context, actor auth.Actor, id uuid.UUID) (sqlc.AIResponse, error) {
	response, err := s.store.FindAIResponse(ctx, sqlc.FindAIResponseParams{
		ID: id, ActorID: actor.ID, Staff: actor.IsStaff(),
	})
	return response, store.NotFound(err)
}

// Cancel ends a response that is being written, wherever that is; its writer finds out within a second. One that has
// ended stays as it is. It returns the response as it is then, and NotFound.
func (s *Service) Cancel(ctx context.Context, actor auth.Actor, id uuid.UUID) (sqlc.AIResponse, error) {
	_, err := s.store.CancelAIResponse(ctx, sqlc.CancelAIResponseParams{
		ID: id, ActorID: actor.ID, Staff: actor.IsStaff(),
	})
	if err != nil {
		return sqlc.AIResponse{}, err
	}
	return s.Get(ctx, actor, id)
}

// start writes a response that this replica owns.
func (s *Service) start(ctx context.Context, c claim) error {
	f := s.hub.acquire(c.response.ID)
	s.mu.Lock()
	if before := s.owners[c.response.ID]; before != nil {
		// This process was thought dead, and has taken over from itself.
		before.lose()
		delete(s.owners, c.response.ID)
		f.setLocal(false)
		s.hub.follow(f)
	}
	s.mu.Unlock()
	if err := s.catchUp(ctx, f, c.response.LastSeq); err != nil {
		s.hub.release(f)
		return err
	}
	running, cancel := context.WithCancelCause(s.ctx)
	o := newOwner(c.response, f, cancel)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owners[c.response.ID] = o
	f.setLocal(true)
	s.wg.Go(func() {
		s.write(running, o, c.conversation)
		cancel(nil)
		s.forget(o)
	})
	return nil
}

// errHole says that a response's log lacks events that it should have.
var errHole = errors.New("assistant: the log has a hole")

// catchUp loads what earlier owners of a response have committed up to lastSeq, which belongs to the feed. A feed that
// was ahead of a log which has lost events starts over.
func (s *Service) catchUp(ctx context.Context, f *feed, lastSeq int64) error {
	for lastSeq > 0 { // One that has just been made has no events.
		before, _ := f.state()
		if err := s.load(ctx, map[*feed]int64{f: before}); err != nil {
			return err
		}
		after, open := f.state()
		switch {
		case !open, after >= before && after >= lastSeq:
			return nil
		case after == before:
			return errHole
		}
	}
	return nil
}

func (s *Service) forget(o *owner) {
	// What could not be committed stays so: the committer need not try any longer.
	o.lose()
	s.mu.Lock()
	if s.owners[o.response.ID] == o {
		delete(s.owners, o.response.ID)
	}
	s.mu.Unlock()
	s.hub.release(o.feed)
}

// isCurrent reports whether no other attempt at the response has begun here.
func (s *Service) isCurrent(o *owner) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners[o.response.ID] == o
}

// running returns what is being written here.
func (s *Service) running() []*owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Values(s.owners)), func(o *owner) bool { return o == nil })
}

// known returns the responses that are written here or about to begin.
func (s *Service) known() []uuid.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.AppendSeq(make([]uuid.UUID, 0, len(s.owners)), maps.Keys(s.owners))
}

// reserve keeps a place for a response that is about to begin. It returns ServerBusy when all are taken.
func (s *Service) reserve(id uuid.UUID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, reserved := s.owners[id]; !reserved && len(s.owners) >= s.options.MaxRunning {
		return apperr.New(apperr.ServerBusy, "This server writes as many answers as it can.").After(busyPause)
	}
	s.owners[id] = nil
	return nil
}

// unreserve gives a place back that no answer has taken.
func (s *Service) unreserve(id uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners[id] == nil {
		delete(s.owners, id)
	}
}

// isFull reports whether as many answers are written here as may be.
func (s *Service) isFull() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.owners) >= s.options.MaxRunning
}

// Drain lets running answers finish, starts no new ones, and ends the service. When ctx ends first, the answers that are
// still running are handed over: another replica takes them at once. Readers of what goes on elsewhere are told to come
// back.
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
		s.cancel(errStopping)
		<-finished
	}
	s.stopLoop()
	s.loops.Wait()
	s.hub.close()
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
