package eventlog

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

// ErrUpToDate is returned to a reader that already has the last event.
var ErrUpToDate = errors.New("eventlog: the reader has the last event")

// ErrQuiet is returned to a reader that has waited long enough.
var ErrQuiet = errors.New("eventlog: there was no event for a while")

// Reader reads the events of a response for one reader. It is not safe for concurrent use.
type Reader struct {
	hub *Hub
	// feed has the events, and seq is the last one that the reader has received.
	feed *Feed
	seq  int64
	// rewound is the feed's count of restarts that the reader has seen.
	rewound  int
	response sqlc.AIResponse
	// pending are the next entries.
	pending []Entry
}

// Resume returns a reader that begins after the last event that it has, or at the beginning for the zero EventID. It
// returns ErrUpToDate when last is the end. The caller closes the Reader.
func (h *Hub) Resume(ctx context.Context, response sqlc.AIResponse, last EventID) (*Reader, error) {
	if response.Status != sqlc.AIResponseStatusStreaming && EndOf(response).matches(last) {
		return nil, ErrUpToDate
	}
	return h.Read(ctx, response, last)
}

// Read is Resume without ErrUpToDate: a reader that has the end receives only a Start. A reader with events of another
// response, or of a deleted log, is told to start over.
func (h *Hub) Read(ctx context.Context, response sqlc.AIResponse, last EventID) (*Reader, error) {
	var seen int64
	if last.ResponseID == response.ID {
		seen = last.Seq
	}
	f, err := h.attach(ctx, response, seen)
	if err != nil {
		return nil, err
	}
	r := h.newReader(f, response)
	r.Introduce(response)
	switch {
	case last.Seq == 0:
	case seen > 0 && f.has(last):
		r.seq = seen
	default:
		r.pending = append(r.pending, r.reset())
	}
	return r, nil
}

// AwaitEnd returns when the response has ended. It returns Draining when the response continues in another process.
func (h *Hub) AwaitEnd(ctx context.Context, response sqlc.AIResponse) error {
	f, err := h.attach(context.WithoutCancel(ctx), response, 0)
	if err != nil {
		return err
	}
	r := h.newReader(f, response)
	defer r.Close()
	for {
		entry, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return errComeBack()
		}
		if err != nil || IsEnd(entry.Event) {
			return err
		}
	}
}

// newReader returns a reader of an acquired feed, which it releases when it is closed.
func (h *Hub) newReader(f *Feed, response sqlc.AIResponse) *Reader {
	return &Reader{hub: h, feed: f, rewound: f.times(), response: response}
}

// Introduce sets the response of the Start that Next returns first. It must be called before Next.
func (r *Reader) Introduce(response sqlc.AIResponse) {
	start := r.hub.logs.entry(Start{Response: response})
	if len(r.pending) == 0 {
		r.pending = []Entry{start}
		return
	}
	r.pending[0] = start
}

// Writing returns the writing of the response on this replica, if there is one.
func (r *Reader) Writing() (w Writing, here bool) { return r.feed.writing() }

// AwaitFirst waits for the first event of the response and returns it, without advancing the reader. It returns
// Draining when the response continues in another process.
func (r *Reader) AwaitFirst(ctx context.Context) (Event, error) {
	first, err := r.feed.after(ctx, 0, r.rewound)
	for errors.Is(err, errRewound) {
		// The reader has received nothing yet.
		r.rewound = r.feed.times()
		first, err = r.feed.after(ctx, 0, r.rewound)
	}
	if errors.Is(err, io.EOF) {
		return nil, errComeBack()
	}
	if err != nil {
		return nil, err
	}
	return first[0].Event, nil
}

// Next waits for the next event and returns it. It returns io.EOF after the last event, or when the reader should
// reconnect later.
func (r *Reader) Next(ctx context.Context) (Entry, error) {
	if err := r.fill(ctx); err != nil {
		return Entry{}, err
	}
	entry := r.pending[0]
	r.pending = r.pending[1:]
	r.seq = max(r.seq, entry.Event.id().Seq)
	return entry, nil
}

// Wait waits until Next has an entry. It returns io.EOF when Next would, and ErrQuiet when quiet receives something
// first. A reader can use one timer for all its waits, which costs less than a context for each.
func (r *Reader) Wait(ctx context.Context, quiet <-chan time.Time) error {
	for {
		ready, ended, changed := r.state()
		switch {
		case ready:
			return nil
		case ended:
			return io.EOF
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-quiet:
			return ErrQuiet
		case <-changed:
		}
	}
}

// Ready reports whether Next has an entry without waiting.
func (r *Reader) Ready() bool {
	ready, _, _ := r.state()
	return ready
}

// state reports whether Next has an entry without waiting, and whether it has none because the feed has ended. Otherwise,
// changed is closed when that may have changed.
func (r *Reader) state() (ready, ended bool, changed <-chan struct{}) {
	if len(r.pending) > 0 {
		return true, false, nil
	}
	return r.feed.stateAt(r.seq, r.rewound)
}

// fill waits until there is a next entry.
func (r *Reader) fill(ctx context.Context) error {
	if len(r.pending) > 0 {
		return nil
	}
	entries, err := r.feed.after(ctx, r.seq, r.rewound)
	if errors.Is(err, errRewound) {
		r.rewound, r.seq = r.feed.times(), 0
		entries, err = []Entry{r.reset()}, nil
	}
	r.pending = entries
	return err
}

// reset tells this reader alone to start over.
func (r *Reader) reset() Entry {
	return r.hub.logs.entry(Reset{ID: EventID{ResponseID: r.response.ID, Attempt: r.response.Attempt}, Attempt: r.response.Attempt})
}

// Close releases the events. It must be called.
func (r *Reader) Close() { r.hub.Release(r.feed) }

// errComeBack tells a reader that its answer continues in another process.
func errComeBack() *apperr.Error {
	return apperr.New(apperr.Draining, "Another server continues the answer.").After(time.Second)
}
