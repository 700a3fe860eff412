// Package journal keeps everything that happens on the desk in one order. Every change adds its entry to the outbox, in the
// same transaction. The sequencer moves committed entries from the outbox to the journal and numbers them (sequencer.go).
// Waiting readers are woken (wake.go), and old entries are dropped (retention.go). Readers go through the journal by position
// (reader.go): positions have no holes, and no entry ever appears before one that has been read.
//
// Every replica runs a sequencer; a row lock lets one work at a time. An entry that is committed late gets a later position.
// No other entry waits for it.
package journal

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/supportbackend/support/internal/store"
)

// Options configure a Service.
type Options struct {
	// Kept is the minimum time for which entries are kept.
	Kept time.Duration
	// Metrics receives the journal's metrics.
	Metrics *metrics.Set
	Logger  *slog.Logger
}

// Service is the journal. Besides the errors that its methods name, each returns the errors of store.Store.
type Service struct {
	store *store.Store
	kept  time.Duration
	head  head
	// seen is the journal's state when it was last read.
	seen    atomic.Pointer[State]
	metrics *journalMetrics
	logger  *slog.Logger
	// drained ends when readers should reconnect to another process.
	drained context.Context
	drain   context.CancelFunc
}

// NewService returns a Service on the store. Run starts its work.
func NewService(s *store.Store, o Options) *Service {
	service := &Service{store: s, kept: o.Kept, head: newHead(), logger: o.Logger}
	service.seen.Store(&State{})
	service.drained, service.drain = context.WithCancel(context.Background()) //nolint:forbidigo // It lives as long as the Service: Drain ends it.
	service.metrics = newJournalMetrics(o.Metrics, &service.head, &service.seen)
	return service
}

// Run moves entries to the journal and wakes readers until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, run := range []func(context.Context){s.sequence, s.listen, s.watch} {
		running.Go(func() { run(ctx) })
	}
	running.Wait()
}
