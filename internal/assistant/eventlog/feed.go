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

// Feed is the committed events of one response, as far as this replica knows them. Its readers share it: an event is
// kept and encoded once, however many of them there are. It is bounded by the size of an answer.
//
// Events come to a feed from the response's writer, when that is on this replica, or else from the follower.
type Feed struct {
	responseID uuid.UUID

	mu      sync.Mutex
	entries []Entry // in the order of their seq
	ended   bool
	// local is the writing of the response on this replica, of which all that is committed comes here. It is nil when another
	// one writes it, which the follower asks for more.
	local   *Writing
	changed chan struct{}
	// rewound counts how often the feed started over, because the database has lost what it held.
	rewound int

	users int // readers, and the writer; guarded by the hub
}

// Writing is an attempt at a response, and the model that writes it.
type Writing struct {
	Attempt int32
	Model   string
}

// Entry is an event and its frame on the wire, which all readers share.
type Entry struct {
	Event Event
	Frame []byte
}

// is reports whether both are the same event, and not only two with the same number.
func (e Entry) is(other Entry) bool { return e.Event == other.Event }

// errRewound tells a reader that the feed has started over, so that what the reader was given may not be in the log.
var errRewound = errors.New("eventlog: the feed has started over")

// publish adds committed events that the feed does not have yet, and wakes the readers.
func (f *Feed) publish(entries ...Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.publishLocked(entries)
}

// merge adds what the log holds from the feed's event after on. That event must be there, and no other with its number:
// if it is not, the database has crashed and lost what it had not yet flushed, and the feed starts over. A feed that is
// written here is left to its writer, who has the lost events and puts them back.
func (f *Feed) merge(after int64, entries []Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || after > f.lastSeqLocked() {
		return // Somebody else has found out already.
	}
	if after > 0 && f.local == nil {
		i, _ := f.findLocked(after)
		if len(entries) == 0 || !entries[0].is(f.entries[i]) {
			f.entries = nil
			f.rewound++
			f.wakeLocked()
			return // The next look at the log starts at its beginning.
		}
	}
	f.publishLocked(entries)
}

func (f *Feed) publishLocked(entries []Entry) {
	for _, e := range entries {
		if f.ended || len(f.entries) > 0 && e.Event.id().Seq != f.lastSeqLocked()+1 {
			continue // It is there already, or an earlier one must come first.
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

// state says what the follower needs to know: where the feed ends, and whether more is to come from the database.
func (f *Feed) state() (lastSeq int64, follow bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lastSeqLocked(), !f.ended && f.local == nil
}

// WriteHere means that this replica writes the response: its events no longer come from the follower, until Hub.Resign.
func (f *Feed) WriteHere(w Writing) { f.setLocal(&w) }

// SwitchModel means that another model writes the attempt, unless that is no longer what is written here.
func (f *Feed) SwitchModel(attempt int32, model string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.local != nil && f.local.Attempt == attempt {
		f.local = &Writing{Attempt: attempt, Model: model}
	}
}

// writing is how the response is written on this replica, if it is.
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

// after returns the events after seq. It waits for them as long as ctx allows, and returns io.EOF when none will come,
// and errRewound when the feed has started over since it was rewound that often.
func (f *Feed) after(ctx context.Context, seq int64, rewound int) ([]Entry, error) {
	for {
		f.mu.Lock()
		if f.rewound != rewound {
			f.mu.Unlock()
			return nil, errRewound
		}
		from := sort.Search(len(f.entries), func(i int) bool { return f.entries[i].Event.id().Seq > seq })
		// Published events do not change, so readers share them and need no copies.
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

// has reports whether the event is in the feed, and not another one with its number.
func (f *Feed) has(id EventID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, found := f.findLocked(id.Seq)
	return found && f.entries[i].Event.id().matches(id)
}

// findLocked returns where the event with the number is, or would be.
func (f *Feed) findLocked(seq int64) (i int, found bool) {
	return slices.BinarySearchFunc(f.entries, seq, func(e Entry, seq int64) int { return cmp.Compare(e.Event.id().Seq, seq) })
}

// times says how often the feed started over.
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

// abandon ends a feed without a last event: its readers are to come back, here or elsewhere.
func (f *Feed) abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.wakeLocked()
}
