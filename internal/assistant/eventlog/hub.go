// Package eventlog gives readers the events of AI responses. A response's events are a log in the database, numbered
// without holes, and readers only get what is committed there. An [Event] is one entry of a log, and failure.go knows the
// failures that a log names (event.go, failure.go). A [Feed] keeps the committed events of one response for all its
// readers on this replica (feed.go); the [Hub] holds the feeds (hub.go), and logs.go fills them from the database. The
// follower does that again and again for responses that other replicas write (follower.go). A [Reader] is one reader's
// way through a feed (reader.go). Whoever writes a response publishes to its feed what it has committed.
package eventlog

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/store"
)

// errHole means that a response's log lacks events.
var errHole = errors.New("eventlog: the log has a hole")

// Hub holds the feeds in use on this replica.
type Hub struct {
	logs logs
	// store has the follower's connections.
	store  *store.Store
	logger *slog.Logger

	mu    sync.Mutex
	feeds map[uuid.UUID]*Feed
	// wanted receives a token when a feed may have to be followed.
	wanted chan struct{}
	// closed means that the hub no longer follows other replicas.
	closed bool
}

// NewHub returns a Hub without feeds. encode returns an event's frame on the wire; it is called once for each event.
func NewHub(s *store.Store, encode func(Event) []byte, logger *slog.Logger) *Hub {
	return &Hub{
		logs: logs{store: s, encode: encode}, store: s, logger: logger,
		feeds: make(map[uuid.UUID]*Feed), wanted: make(chan struct{}, 1),
	}
}

// Acquire returns the response's feed, which is empty when it is new. The caller releases it.
func (h *Hub) Acquire(responseID uuid.UUID) *Feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.feeds[responseID]
	if f == nil {
		f = &Feed{responseID: responseID, changed: make(chan struct{})}
		h.feeds[responseID] = f
	}
	f.users++
	return f
}

// Release gives a feed back. The hub drops it after its last user.
func (h *Hub) Release(f *Feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.users--
	if f.users == 0 {
		h.removeLocked(f)
	}
}

func (h *Hub) removeLocked(f *Feed) {
	if h.feeds[f.responseID] == f {
		delete(h.feeds, f.responseID)
	}
}

// Users returns the number of users of the response's feed: its readers, and its writer.
func (h *Hub) Users(responseID uuid.UUID) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.feeds[responseID]; f != nil {
		return f.users
	}
	return 0
}

// CatchUp loads the events that earlier writers of a response committed, up to lastSeq. If the log has lost events of
// the feed, the feed starts over.
func (h *Hub) CatchUp(ctx context.Context, f *Feed, lastSeq int64) error {
	for lastSeq > 0 { // A new response has no events.
		before, _ := f.state()
		if err := h.logs.load(ctx, map[*Feed]int64{f: before}); err != nil {
			return err
		}
		after, open := f.state()
		switch {
		case !open, after >= before && after >= lastSeq:
			return nil
		case after == before:
			return errHole
		}
	}
	return nil
}

// Publish adds committed events to a feed and wakes its readers.
func (h *Hub) Publish(f *Feed, events ...Event) {
	f.publish(h.logs.entries(events)...)
}

// Resign leaves the feed to the follower, because another replica writes the response.
func (h *Hub) Resign(f *Feed) {
	f.setLocal(nil)
	h.want(f)
}

// Abandon ends the feed: its readers must reconnect. New readers get a new feed.
func (h *Hub) Abandon(f *Feed) {
	h.mu.Lock()
	h.removeLocked(f)
	h.mu.Unlock()
	f.abandon()
}

// Close ends the feeds that the follower fills: their readers must reconnect to another replica.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	for f := range h.followed() {
		f.abandon()
	}
}

// attach returns the response's feed with its committed events. An existing feed may lack an event that the reader has
// seen on a replica that is ahead of this one.
func (h *Hub) attach(ctx context.Context, response sqlc.AIResponse, seen int64) (*Feed, error) {
	f := h.Acquire(response.ID)
	_, here := f.writing()
	if lastSeq, _ := f.state(); !here && lastSeq == 0 || lastSeq < seen {
		if err := h.logs.load(ctx, map[*Feed]int64{f: lastSeq}); err != nil {
			h.Release(f)
			return nil, err
		}
	}
	lastSeq, open := f.state()
	if lastSeq == 0 && response.Status != sqlc.AIResponseStatusStreaming {
		if err := h.logs.rebuild(ctx, f, response); err != nil {
			h.Release(f)
			return nil, err
		}
	} else if open {
		h.want(f)
	}
	return f, nil
}

// want asks the follower to fill the feed. After Close, it ends the feed.
func (h *Hub) want(f *Feed) {
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

// followed returns the feeds that the follower fills, with the last event of each.
func (h *Hub) followed() map[*Feed]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	feeds := make(map[*Feed]int64)
	for _, f := range h.feeds {
		if lastSeq, open := f.state(); open {
			feeds[f] = lastSeq
		}
	}
	return feeds
}
