package writer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/eventlog"
)

// LeaseDuration is how long a lease lasts after a claim, a commit or a renewal.
const LeaseDuration = 15 * time.Second

// errLost means that the response is no longer this owner's: somebody else ended it or writes it.
var errLost = errors.New("writer: the response is no longer written here")

// owner is the writing of one response by this replica, for as long as it holds the lease.
type owner struct {
	// id names this replica in the lease.
	id       uuid.UUID
	response sqlc.AIResponse
	feed     *eventlog.Feed
	cancel   context.CancelCauseFunc
	// began is when this replica began to write it.
	began time.Time

	mu sync.Mutex
	// pending is text from upstream that is not in a delta yet.
	pending []byte
	// inflight is the delta that is being committed. It does not change until it is known to be committed, because a
	// commit without a reply may have succeeded.
	inflight *eventlog.Delta
	lastSeq  int64
	// committedAt is when the last delta was committed, which renewed the lease.
	committedAt time.Time
	// lost means that nothing more may be committed.
	lost bool
	// ending means that all text is committed and that the response is about to be ended.
	ending bool
	// changed is closed when inflight is committed or the response is lost.
	changed chan struct{}
}

func newOwner(id uuid.UUID, response sqlc.AIResponse, f *eventlog.Feed, cancel context.CancelCauseFunc) *owner {
	return &owner{
		id: id, response: response, feed: f, cancel: cancel, began: time.Now(),
		lastSeq: response.LastSeq, changed: make(chan struct{}),
	}
}

// add appends a piece of text from upstream.
func (o *owner) add(text string) {
	o.mu.Lock()
	o.pending = append(o.pending, text...)
	o.mu.Unlock()
}

// take returns the next delta to commit, if there is one.
func (o *owner) take() (eventlog.Delta, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost {
		return eventlog.Delta{}, false
	}
	if o.inflight == nil {
		if len(o.pending) == 0 {
			return eventlog.Delta{}, false
		}
		o.inflight = &eventlog.Delta{
			ID:      eventlog.EventID{ResponseID: o.response.ID, Seq: o.lastSeq + 1, Attempt: o.response.Attempt},
			Content: string(o.pending),
		}
		o.pending = o.pending[:0]
	}
	return *o.inflight, true
}

// committed records that the inflight delta is in the log, and reports whether more text is pending.
func (o *owner) committed() (more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lastSeq, o.committedAt = o.inflight.ID.Seq, time.Now()
	o.inflight = nil
	close(o.changed)
	o.changed = make(chan struct{})
	return len(o.pending) > 0
}

// hasCommittedSince reports whether a delta was committed after t.
func (o *owner) hasCommittedSince(t time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.committedAt.After(t)
}

// flush waits until all text is committed, and returns the number of the last delta. From then on, the owner is ending.
func (o *owner) flush(ctx context.Context) (int64, error) {
	for {
		o.mu.Lock()
		clean, lost, lastSeq, changed := o.inflight == nil && len(o.pending) == 0, o.lost, o.lastSeq, o.changed
		o.ending = clean && !lost
		o.mu.Unlock()
		switch {
		case lost:
			return 0, errLost
		case clean:
			return lastSeq, nil
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-changed:
		}
	}
}

// lose stops the writing, because the response is no longer this owner's.
func (o *owner) lose() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop()
}

// loseUnlessEnding does the same to an owner that is not ending. What ends the response finds out by itself whose it is,
// and a response that no longer runs may be one that this owner has just ended.
func (o *owner) loseUnlessEnding() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ending {
		o.stop()
	}
}

func (o *owner) stop() {
	o.lost = true
	close(o.changed)
	o.changed = make(chan struct{})
	o.cancel(errLost)
}
