package writer

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
)

// busyPause is when to ask again while a replica writes as many answers as it may.
const busyPause = time.Second

// roster is what is written on this replica, and what may still begin.
type roster struct {
	maxRunning int

	mu       sync.Mutex
	draining bool
	// owners are by response. One that is nil keeps the place of a response that is about to begin.
	owners map[uuid.UUID]*owner
	wg     sync.WaitGroup // answers, and callers who may start one
}

func newRoster(maxRunning int) *roster {
	return &roster{maxRunning: maxRunning, owners: make(map[uuid.UUID]*owner)}
}

// admit counts a caller in that may start an answer, until it calls done; once draining, nobody is.
func (r *roster) admit() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.draining {
		r.wg.Add(1)
	}
	return !r.draining
}

func (r *roster) done() { r.wg.Done() }

// drain admits nobody from now on. finished is closed when nothing is written here any longer.
func (r *roster) drain() (finished <-chan struct{}) {
	r.mu.Lock()
	r.draining = true
	r.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(ended)
	}()
	return ended
}

// reserve keeps a place for a response that is about to begin. It returns ServerBusy when all are taken.
func (r *roster) reserve(id uuid.UUID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, reserved := r.owners[id]; !reserved && len(r.owners) >= r.maxRunning {
		return apperr.New(apperr.ServerBusy, "This server writes as many answers as it can.").After(busyPause)
	}
	r.owners[id] = nil
	return nil
}

// unreserve gives a place back that no answer has taken.
func (r *roster) unreserve(id uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owners[id] == nil {
		delete(r.owners, id)
	}
}

// displace removes the response's owner, which it returns, if there is one.
func (r *roster) displace(id uuid.UUID) *owner {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.owners[id]
	if before != nil {
		delete(r.owners, id)
	}
	return before
}

// run adds an owner, and lets it write. The caller must have been admitted.
func (r *roster) run(o *owner, write func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owners[o.response.ID] = o
	o.feed.WriteHere(eventlog.Writing{Attempt: o.response.Attempt, Model: o.response.Model})
	r.wg.Go(write)
}

func (r *roster) remove(o *owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owners[o.response.ID] == o {
		delete(r.owners, o.response.ID)
	}
}

// isCurrent reports whether no other attempt at the response has begun here.
func (r *roster) isCurrent(o *owner) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owners[o.response.ID] == o
}

// running returns what is being written here.
func (r *roster) running() []*owner {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Values(r.owners)), func(o *owner) bool { return o == nil })
}

// known returns the responses that are written here or about to begin.
func (r *roster) known() []uuid.UUID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.AppendSeq(make([]uuid.UUID, 0, len(r.owners)), maps.Keys(r.owners))
}

// count is how many responses are written here or about to begin.
func (r *roster) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.owners)
}

// isFull reports whether as many answers are written here as may be.
func (r *roster) isFull() bool { return r.count() >= r.maxRunning }
