package journal

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/supportbackend/support/internal/background"
)

const (
	// channel is where sequencers announce the head.
	channel = "support_journal"
	// listenPause is the pause before listening again after the connection has broken.
	listenPause = time.Second
)

// head is the newest position that this replica knows of. Readers wait on it.
type head struct {
	mu       sync.Mutex
	position int64
	// known means that the database has named a position.
	known bool
	// lower means that the database has named a lower position.
	lower bool
	// changed is closed when the position changes.
	changed chan struct{}
	waiting int
	// listening means that this replica hears other replicas' sequencers.
	listening bool
	// wanted receives a token when a reader begins to wait while nobody listens, and when listening begins or ends.
	wanted chan struct{}
}

func newHead() head {
	return head{changed: make(chan struct{}), wanted: make(chan struct{}, 1)}
}

// set sets the position that the sequencer has read. It may be lower than one that was heard in the meantime. If it is
// lower twice in a row, the database has failed over to one that lacks the last moments.
func (h *head) set(position int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if position < h.position && !h.lower {
		h.lower = true
		return
	}
	h.lower = false
	h.moveLocked(position)
}

// raise sets a position that was heard, if it is higher.
func (h *head) raise(position int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.moveLocked(max(position, h.position))
}

func (h *head) moveLocked(position int64) {
	h.known = true
	if position == h.position {
		return
	}
	h.position = position
	close(h.changed)
	h.changed = make(chan struct{})
}

// get returns the position, and whether it is known.
func (h *head) get() (position int64, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.position, h.known
}

// setListening records whether this replica hears other replicas' sequencers. A change wakes the sequencer, because
// announcements may have been missed before it.
func (h *head) setListening(listening bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if listening != h.listening {
		h.listening = listening
		h.wantLocked()
	}
}

func (h *head) wantLocked() {
	select {
	case h.wanted <- struct{}{}:
	default:
	}
}

// mustPoll reports whether there are waiting readers that no notification can wake.
func (h *head) mustPoll() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting > 0 && !h.listening
}

// unattended gets a token when mustPoll may have become true, or the head may have moved unheard.
func (h *head) unattended() <-chan struct{} { return h.wanted }

// wait returns when the position is greater than after.
func (h *head) wait(ctx context.Context, after int64) error {
	h.begin()
	defer h.end()
	for {
		h.mu.Lock()
		position, changed := h.position, h.changed
		h.mu.Unlock()
		if position > after {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (h *head) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting++
	if !h.listening {
		h.wantLocked()
	}
}

func (h *head) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting--
}

// listen hears the heads that other replicas' sequencers announce. Behind a pooler, it does nothing.
func (s *Service) listen(ctx context.Context) {
	if s.store.IsPooled() {
		return
	}
	outage := background.Outage{While: "listening for the journal", Logger: s.logger}
	for ctx.Err() == nil {
		err := s.store.Listen(ctx, channel, func(payload string) {
			outage.Note(ctx, nil)
			s.head.setListening(true)
			if position, err := strconv.ParseInt(payload, 10, 64); err == nil {
				s.head.raise(position)
			}
		})
		s.head.setListening(false)
		outage.Note(ctx, err)
		pause(ctx, listenPause)
	}
}
