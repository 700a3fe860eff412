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

// busyPause is the Retry-After while a replica is at its limit of answers.
const busyPause = time.Second

// roster knows which responses this replica writes, and how many more may begin.
type roster struct {
	maxRunning int

	mu       sync.Mutex
	draining bool
	// owners are by response. A nil owner reserves the place of a response that is about to begin.
	owners map[uuid.UUID]*owner
	wg     sync.WaitGroup // running answers, and callers who may start one
}

func newRoster(maxRunning int) *roster {
	return &roster{maxRunning: maxRunning, owners: make(map[uuid.UUID]*owner)}
}

// admit counts a caller who may start an answer, until done. It refuses everybody once draining.
func (r *roster) admit() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.draining {
		r.wg.Add(1)
	}
	return !r.draining
}

func (r *roster) done() { r.wg.Done() }

// drain stops admitting callers. finished is closed when nothing is being written here.
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

// reserve reserves a place for a response that is about to begin. It returns ServerBusy when all are taken.
func (r *roster) reserve(id uuid.UUID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, reserved := r.owners[id]; !reserved && len(r.owners) >= r.maxRunning {
		return apperr.New(apperr.ServerBusy, "The server has reached its limit of running answers.").After(busyPause)
	}
	r.owners[id] = nil
	return nil
}

// unreserve gives back a place that no answer has taken.
func (r *roster) unreserve(id uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owners[id] == nil {
		delete(r.owners, id)
	}
}

// displace removes and returns the response's owner, if there is one.
func (r *roster) displace(id uuid.UUID) *owner {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.owners[id]
	if before != nil {
		delete(r.owners, id)
	}
	return before
}

// run adds an owner and starts its writing. The caller must have been admitted.
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

// isCurrent reports whether the owner is the newest attempt at the response here.
func (r *roster) isCurrent(o *owner) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.owners[o.response.ID] == o
}

// running returns the owners that are writing here.
func (r *roster) running() []*owner {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Values(r.owners)), func(o *owner) bool { return o == nil })
}

// known returns the responses that are being written here or are about to begin.
func (r *roster) known() []uuid.UUID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.AppendSeq(make([]uuid.UUID, 0, len(r.owners)), maps.Keys(r.owners))
}

// count returns how many responses are being written here or are about to begin.
func (r *roster) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.owners)
}

// isFull reports whether this replica is at its limit of answers.
func (r *roster) isFull() bool { return r.count() >= r.maxRunning }
