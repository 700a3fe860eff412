package assistant

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

// feed is the committed events of one response, as far as this replica knows them. Its readers share it: an event is
// kept and encoded once, however many of them there are. It is bounded by the size of an answer.
//
// Events come to a feed from the committer, when this replica writes the response, or else from the follower.
type feed struct {
	responseID uuid.UUID

	mu      sync.Mutex
	entries []Entry // in the order of their seq
	ended   bool
	local   bool // this replica writes it, so the follower need not ask for more
	changed chan struct{}
	// rewound counts how often the feed started over, because the database has lost what it held.
	rewound int

	users int // readers, and the writer; guarded by the hub
}

// Entry is an event and its frame on the wire, which all readers share.
type Entry struct {
	Event Event
	Frame []byte
}

// is reports whether both are the same event, and not only two with the same number.
func (e Entry) is(other Entry) bool { return e.Event == other.Event }

// errRewound tells a reader that the feed has started over, so that what the reader was given may not be in the log.
var errRewound = errors.New("assistant: the feed has started over")

// publish adds committed events that the feed does not have yet, and wakes the readers.
func (f *feed) publish(entries ...Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.publishLocked(entries)
}

// merge adds what the log holds from the feed's event after on. That event must be there, and no other with its number:
// if it is not, the database has crashed and lost what it had not yet flushed, and the feed starts over. A feed that is
// written here is left to its writer, who has the lost events and puts them back.
func (f *feed) merge(after int64, entries []Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || after > f.lastSeqLocked() {
		return // Somebody else has found out already.
	}
	if after > 0 && !f.local {
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

func (f *feed) publishLocked(entries []Entry) {
	for _, e := range entries {
		if f.ended || len(f.entries) > 0 && e.Event.id().Seq != f.lastSeqLocked()+1 {
			continue // It is there already, or an earlier one must come first.
		}
		f.entries = append(f.entries, e)
		f.ended = IsEnd(e.Event)
	}
	f.wakeLocked()
}

func (f *feed) wakeLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *feed) lastSeqLocked() int64 {
	if len(f.entries) == 0 {
		return 0
	}
	return f.entries[len(f.entries)-1].Event.id().Seq
}

// state says what the follower needs to know: where the feed ends, and whether more is to come from the database.
func (f *feed) state() (lastSeq int64, follow bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lastSeqLocked(), !f.ended && !f.local
}

func (f *feed) setLocal(local bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.local = local
}

// after returns the events after seq. It waits for them as long as ctx allows, and returns io.EOF when none will come,
// and errRewound when the feed has started over since it was rewound that often.
func (f *feed) after(ctx context.Context, seq int64, rewound int) ([]Entry, error) {
	for {
		f.mu.Lock()
		if f.rewound != rewound {
			f.mu.Unlock()
			return nil, errRewound
		}
		from := sort.Search(len(f.entries), func(i int) bool { return f.entries[i].Event.id().Seq > seq })
		// What is published no longer changes: readers share it, and a longer answer takes no more of each.
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
func (f *feed) has(id EventID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, found := f.findLocked(id.Seq)
	return found && f.entries[i].Event.id().matches(id)
}

// findLocked returns where the event with the number is, or would be.
func (f *feed) findLocked(seq int64) (i int, found bool) {
	return slices.BinarySearchFunc(f.entries, seq, func(e Entry, seq int64) int { return cmp.Compare(e.Event.id().Seq, seq) })
}

// times says how often the feed started over.
func (f *feed) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rewound
}

// deltasAfter returns the deltas after seq.
func (f *feed) deltasAfter(seq int64) (deltas []Delta) {
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
func (f *feed) abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.wakeLocked()
}

// hub holds the feeds that somebody on this replica uses.
type hub struct {
	mu    sync.Mutex
	feeds map[uuid.UUID]*feed
	// wanted gets a token when a feed may have to be followed.
	wanted chan struct{}
	// closed says that nobody follows.
	closed bool
}

func newHub() *hub {
	return &hub{feeds: make(map[uuid.UUID]*feed), wanted: make(chan struct{}, 1)}
}

// acquire returns the response's feed, which is empty when it is new. The caller releases it.
func (h *hub) acquire(responseID uuid.UUID) *feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.feeds[responseID]
	if f == nil {
		f = &feed{responseID: responseID, changed: make(chan struct{})}
		h.feeds[responseID] = f
	}
	f.users++
	return f
}

// release gives a feed back. The last user takes it from the hub.
func (h *hub) release(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.users--
	if f.users == 0 {
		h.removeLocked(f)
	}
}

func (h *hub) removeLocked(f *feed) {
	if h.feeds[f.responseID] == f {
		delete(h.feeds, f.responseID)
	}
}

// abandon ends the feed for those who use it. Whoever comes now gets another one.
func (h *hub) abandon(f *feed) {
	h.mu.Lock()
	h.removeLocked(f)
	h.mu.Unlock()
	f.abandon()
}

// follow asks the follower to look at the feed. Once the hub is closed, nothing comes to it.
func (h *hub) follow(f *feed) {
	h.mu.Lock()
	closed := h.closed
	h.mu.Unlock()
	if closed {
		f.abandon()
		return
	}
	select {
	case h.wanted <- struct{}{}:
	default:
	}
}

// close ends the feeds that nobody follows: their readers are to come back to another replica.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	for f := range h.followed() {
		f.abandon()
	}
}

// followed returns the feeds whose events come from the database, with the last event that each has.
func (h *hub) followed() map[*feed]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	feeds := make(map[*feed]int64)
	for _, f := range h.feeds {
		if lastSeq, follow := f.state(); follow {
			feeds[f] = lastSeq
		}
	}
	return feeds
}
