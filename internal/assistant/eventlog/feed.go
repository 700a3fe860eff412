package eventlog

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sort"
	"sync"

	"github.com/google/uuid"
)

// Feed holds the committed events of one response that this replica knows. All readers share it: an event is stored and
// encoded once. The size of an answer bounds it.
//
// Events come from the response's writer if it is on this replica, or else from the follower.
type Feed struct {
	responseID uuid.UUID

	mu      sync.Mutex
	entries []Entry // in the order of their seq
	ended   bool
	// local is the writing of the response on this replica, which publishes its commits to the feed. It is nil when
	// another replica writes the response; then the follower fills the feed.
	local   *Writing
	changed chan struct{}
	// rewound counts how often the feed started over because the database had lost its events.
	rewound int

	users int // readers, and the writer; guarded by the hub
}

// Writing is an attempt at a response, and the model that writes it.
type Writing struct {
	Attempt int32
	Model   string
}

// Entry is an event with its frame on the wire, which all readers share.
type Entry struct {
	Event Event
	Frame []byte
}

// is reports whether both are the same event, and not just two events with the same number.
func (e Entry) is(other Entry) bool { return e.Event == other.Event }

// errRewound tells a reader that the feed has started over, so the log may lack events that the reader has.
var errRewound = errors.New("eventlog: the feed has started over")

// publish adds committed events that the feed lacks, and wakes the readers.
func (f *Feed) publish(entries ...Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.publishLocked(entries)
}

// merge adds the log's entries from the feed's event after on. The log must have this very event: otherwise the
// database has crashed and lost it, and the feed starts over. merge leaves a feed that is written here to its writer,
// which restores lost events.
func (f *Feed) merge(after int64, entries []Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || after > f.lastSeqLocked() {
		return // Somebody else has noticed already.
	}
	if after > 0 && f.local == nil {
		i, _ := f.findLocked(after)
		if len(entries) == 0 || !entries[0].is(f.entries[i]) {
			f.entries = nil
			f.rewound++
			f.wakeLocked()
			return // The next read of the log starts at its beginning.
		}
	}
	f.publishLocked(entries)
}

func (f *Feed) publishLocked(entries []Entry) {
	for _, e := range entries {
		if f.ended || len(f.entries) > 0 && e.Event.id().Seq != f.lastSeqLocked()+1 {
			continue // The feed has it already, or lacks an earlier one.
		}
		f.entries = append(f.entries, e)
		f.ended = IsEnd(e.Event)
	}
	f.wakeLocked()
}

func (f *Feed) wakeLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *Feed) lastSeqLocked() int64 {
	if len(f.entries) == 0 {
		return 0
	}
	return f.entries[len(f.entries)-1].Event.id().Seq
}

// state returns where the feed ends, and whether the follower must fill it.
func (f *Feed) state() (lastSeq int64, follow bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lastSeqLocked(), !f.ended && f.local == nil
}

// WriteHere marks the feed as written on this replica: its events no longer come from the follower, until Hub.Resign.
func (f *Feed) WriteHere(w Writing) { f.setLocal(&w) }

// SwitchModel records that another model writes the attempt, if the attempt is still written here.
func (f *Feed) SwitchModel(attempt int32, model string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.local != nil && f.local.Attempt == attempt {
		f.local = &Writing{Attempt: attempt, Model: model}
	}
}

// writing returns the writing of the response on this replica, if there is one.
func (f *Feed) writing() (w Writing, here bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.local == nil {
		return Writing{}, false
	}
	return *f.local, true
}

func (f *Feed) setLocal(w *Writing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.local = w
}

// after waits for events after seq and returns them. It returns io.EOF when there will be none, errRewound when the feed
// has started over since the given count.
func (f *Feed) after(ctx context.Context, seq int64, rewound int) ([]Entry, error) {
	for {
		f.mu.Lock()
		if f.rewound != rewound {
			f.mu.Unlock()
			return nil, errRewound
		}
		from := sort.Search(len(f.entries), func(i int) bool { return f.entries[i].Event.id().Seq > seq })
		// Published events are immutable, so readers share them.
		entries, ended, changed := slices.Clip(f.entries[from:]), f.ended, f.changed
		f.mu.Unlock()
		switch {
		case len(entries) > 0:
			return entries, nil
		case ended:
			return nil, io.EOF
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// stateAt reports whether after has something to return without waiting besides the end of the feed, and whether the feed
// has ended. changed is closed when that may have changed.
func (f *Feed) stateAt(seq int64, rewound int) (ahead, ended bool, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rewound != rewound || f.lastSeqLocked() > seq, f.ended, f.changed
}

// has reports whether the feed has this very event.
func (f *Feed) has(id EventID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, found := f.findLocked(id.Seq)
	return found && f.entries[i].Event.id().matches(id)
}

// findLocked returns the index of the event with the number, or where it would be.
func (f *Feed) findLocked(seq int64) (i int, found bool) {
	return slices.BinarySearchFunc(f.entries, seq, func(e Entry, seq int64) int { return cmp.Compare(e.Event.id().Seq, seq) })
}

// times returns how often the feed started over.
func (f *Feed) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rewound
}

// DeltasAfter returns the deltas after seq.
func (f *Feed) DeltasAfter(seq int64) (deltas []Delta) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.entries {
		if delta, ok := e.Event.(Delta); ok && delta.ID.Seq > seq {
			deltas = append(deltas, delta)
		}
	}
	return deltas
}

// abandon ends a feed without a last event: its readers must reconnect, here or elsewhere.
func (f *Feed) abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.wakeLocked()
}
