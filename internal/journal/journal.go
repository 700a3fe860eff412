// Package journal keeps everything that happens on the desk in one order. Whoever changes something adds its entry to the
// outbox, in the same transaction. The sequencer moves committed entries from there to the journal and numbers them
// (sequencer.go), wakes those who wait for more (wake.go), and drops what is too old (retention.go). Readers go through the
// journal by position (reader.go): positions have no holes, and an entry that is read never gets one in front of it later.
//
// Every replica runs a sequencer, and the lock of one row lets one of them work at a time. An entry that a transaction
// commits late gets a later position; no other entry waits for it.
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

// Options are what a Service is made of.
type Options struct {
	// Kept is how long an entry is kept at least.
	Kept time.Duration
	// Metrics gets the journal's numbers.
	Metrics *metrics.Set
	Logger  *slog.Logger
}

// Service is the journal. Its methods return what store.Store returns.
type Service struct {
	store *store.Store
	kept  time.Duration
	head  head
	// seen is the state of the journal when it was last looked at.
	seen    atomic.Pointer[State]
	metrics *journalMetrics
	logger  *slog.Logger
	// drained ends when readers are to come back to another process.
	drained context.Context
	drain   context.CancelFunc
}

// NewService returns a Service on the store. Run makes it work.
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
