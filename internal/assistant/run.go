package assistant

import (
	"context"
	"slices"
	"sync"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

// run is one response while this process writes it, and the log of its events that readers follow. The log is bounded
// by the size of an answer.
type run struct {
	response sqlc.AIResponse
	cancel   context.CancelCauseFunc

	mu      sync.Mutex
	events  []Event
	ended   bool
	changed chan struct{}
}

func newRun(response sqlc.AIResponse, cancel context.CancelCauseFunc) *run {
	return &run{response: response, cancel: cancel, changed: make(chan struct{})}
}

func (r *run) delta(content string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.append(Delta{ID: r.nextID(), Content: content})
}

func (r *run) done(response sqlc.AIResponse, message sqlc.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.append(Done{ID: r.nextID(), Response: response, Message: message})
}

func (r *run) failed(err *apperr.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.append(Failed{ID: r.nextID(), Err: err})
}

// append adds the event and wakes the readers. r.mu is held.
func (r *run) append(e Event) {
	r.events = append(r.events, e)
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *run) nextID() EventID {
	return EventID{ResponseID: r.response.ID, Seq: int64(len(r.events)) + 1}
}

// lastSeq returns the number that the next event has, when that is the last.
func (r *run) lastSeq() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nextID().Seq
}

// after returns the events after seq. When there are none yet, it returns a channel that is closed once there are.
func (r *run) after(seq int64) (events []Event, ended bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := min(int(seq), len(r.events))
	return slices.Clone(r.events[from:]), r.ended, r.changed
}

// wait returns once there is an event after seq, or ctx ends.
func (r *run) wait(ctx context.Context, seq int64) ([]Event, bool, error) {
	for {
		events, ended, changed := r.after(seq)
		if len(events) > 0 || ended {
			return events, ended, nil
		}
		select {
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-changed:
		}
	}
}
