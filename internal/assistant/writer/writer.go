// Package writer writes AI responses. A [Writer] owns the responses whose leases its replica holds: it starts what was
// claimed, and drains (writer.go). The roster says which those are, and how many more may begin (roster.go). An owner is
// the writing of one response (owner.go): a generation asks the models for the text (generation.go), the committer gathers
// the text of all owners into group commits (committer.go, whose SQL is in deltas.go), and an ending stores the message
// with the end of the log (ending.go, failure.go). Leases are renewed and checked (leases.go); the reaper takes over what
// a dead replica has left, with a higher attempt, which fences off whatever the old owner still writes (reaper.go);
// the sweeper deletes the events of responses that ended long ago (sweeper.go). The metrics are in metrics.go.
//
// The message, the last event and the status of a response commit together, under the ticket's lock. A human who
// steps in takes the same lock, so one of them wins.
package writer

import (
	"context"
	"log/slog"
	"sync"

	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/store"
)

// Options configure a Writer.
type Options struct {
	Hub    *eventlog.Hub
	Models *upstream.Models
	// Conversation returns the input of an answer, for the reaper.
	Conversation func(ctx context.Context, response sqlc.AIResponse) (upstream.Conversation, error)
	// Format returns the format of a kind of response; nil for any text.
	Format func(kind sqlc.AIResponseKind) *upstream.Format
	// MaxRunning limits the answers that are written at a time.
	MaxRunning int
	// Metrics receives the metrics.
	Metrics *metrics.Set
	Logger  *slog.Logger
}

// Writer writes the responses that this replica owns, between Run and Drain.
type Writer struct {
	// id identifies this process as an owner. A restarted process has another id.
	id        uuid.UUID
	hub       *eventlog.Hub
	roster    *roster
	committer *committer
	generator *generator
	leases    *leases
	reaper    *reaper
	sweeper   *sweeper
	logger    *slog.Logger

	// ctx is the context of answers, which belong to the process and not to a request.
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// New returns a Writer. Run runs it.
func New(s *store.Store, o Options) *Writer {
	ctx, cancel := context.WithCancelCause(context.Background()) //nolint:forbidigo // Answers outlive the requests that start them.
	w := &Writer{id: uuid.New(), hub: o.Hub, roster: newRoster(o.MaxRunning), logger: o.Logger, ctx: ctx, cancel: cancel}
	counters := newWriterMetrics(o.Metrics, w.roster.count)
	w.committer = newCommitter(
		deltas{store: s.Reserved(), ownerID: w.id, metrics: counters}.write,
		func(o *owner, delta eventlog.Delta) {
			w.hub.Publish(o.feed, delta)
			if delta.ID.Seq == o.response.LastSeq+1 {
				counters.firstToken.UpdateDuration(o.began)
			}
		},
		(*owner).lose,
		o.Logger,
	)
	w.leases = &leases{store: s, reserved: s.Reserved(), ownerID: w.id, roster: w.roster, logger: o.Logger}
	w.generator = &generator{
		models: o.Models, format: o.Format, committer: w.committer, logger: o.Logger,
		ending: ending{
			store: s, hub: o.Hub, roster: w.roster, leases: w.leases,
			recording: &background.Outage{While: "recording the end of an answer", Logger: o.Logger},
		},
	}
	w.reaper = &reaper{
		store: s, ownerID: w.id, roster: w.roster, enabled: o.Models.Enabled(),
		conversation: o.Conversation, begin: w.begin, metrics: counters, logger: o.Logger,
	}
	w.sweeper = &sweeper{store: s}
	return w
}

// ID identifies this replica as an owner.
func (w *Writer) ID() uuid.UUID { return w.id }

// Run commits text, maintains leases, and takes over abandoned responses until ctx ends, which must not be before Drain
// has returned.
func (w *Writer) Run(ctx context.Context) {
	var loops sync.WaitGroup
	for _, run := range []func(context.Context){w.committer.run, w.leases.run, w.reaper.run} {
		loops.Go(func() { run(ctx) })
	}
	loops.Wait()
}

// Tasks returns the periodic task that deletes the events of responses that ended long ago.
func (w *Writer) Tasks() []background.Task {
	return []background.Task{{Name: "delete_old_ai_events", Every: sweepInterval, Do: w.sweeper.sweep}}
}

// Admit counts a caller who may start a response, until Done. It returns false once the Writer drains.
func (w *Writer) Admit() bool { return w.roster.admit() }

// Done ends what Admit began.
func (w *Writer) Done() { w.roster.done() }

// Reserve reserves a place for a response that is about to begin. It returns ServerBusy when all are taken.
func (w *Writer) Reserve(id uuid.UUID) error { return w.roster.reserve(id) }

// Unreserve gives back a place that no answer has taken.
func (w *Writer) Unreserve(id uuid.UUID) { w.roster.unreserve(id) }

// Start starts writing a response that this replica has claimed, once the claim is committed. In a larger transaction,
// that may be later; if the process has begun to stop by then, it leaves the response to others. So it does when the
// conversation cannot be read.
func (w *Writer) Start(
	ctx context.Context, response sqlc.AIResponse, conversation func(context.Context) (upstream.Conversation, error),
) {
	if w.roster.admit() {
		defer w.roster.done()
		c, err := conversation(ctx)
		if err == nil {
			err = w.begin(ctx, response, c)
		}
		if err == nil {
			return
		}
		w.logger.WarnContext(ctx, "ai response not started", slog.Any("ai_response_id", response.ID), slog.Any("error", err))
	}
	w.leases.release(ctx, response)
}

// begin writes a response that this replica owns.
func (w *Writer) begin(ctx context.Context, response sqlc.AIResponse, c upstream.Conversation) error {
	f := w.hub.Acquire(response.ID)
	if before := w.roster.displace(response.ID); before != nil {
		// Others thought this process dead, and it has taken over from itself.
		before.lose()
		w.hub.Resign(f)
	}
	if err := w.hub.CatchUp(ctx, f, response.LastSeq); err != nil {
		w.hub.Release(f)
		return err
	}
	running, cancel := context.WithCancelCause(w.ctx)
	o := newOwner(w.id, response, f, cancel)
	w.roster.run(o, func() {
		w.generator.write(running, o, c)
		cancel(nil)
		w.forget(o)
	})
	return nil
}

func (w *Writer) forget(o *owner) {
	// The committer need not try any longer.
	o.lose()
	w.roster.remove(o)
	w.hub.Release(o.feed)
}

// TakeOver starts abandoned responses again, and fails those that nobody could finish. Run calls it every two seconds.
func (w *Writer) TakeOver(ctx context.Context) error { return w.reaper.takeOver(ctx) }

// Running returns how many answers are being written or are about to begin.
func (w *Writer) Running() int { return w.roster.count() }

// Drain lets running answers finish and starts no new ones. If ctx ends first, it hands the remaining answers over to
// another replica, which continues them at once.
func (w *Writer) Drain(ctx context.Context) {
	finished := w.roster.drain()
	select {
	case <-finished:
	case <-ctx.Done():
		w.cancel(errStopping)
		<-finished
	}
}
