package assistant

import (
	"context"
	"errors"
	"io"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

// Reader is one reader's way through the events of a response. It is not safe for use by several goroutines.
type Reader struct {
	hub *hub
	// opening is what must happen before there is something to read, until it has happened.
	opening *opening
	// feed has the events, and seq is the last one that the reader was given.
	feed *feed
	seq  int64
	// rewound is how often the feed had started over when the reader last looked.
	rewound  int
	response sqlc.AIResponse
	encode   func(Event) []byte
	// pending are entries that come next.
	pending []Entry
}

// Next returns the next event and waits for it as long as ctx allows. It returns io.EOF when there are no more: after a
// Done or a Failed, or else because the reader is to come back later.
func (r *Reader) Next(ctx context.Context) (Entry, error) {
	if err := r.open(ctx); err != nil {
		if ctx.Err() != nil {
			return Entry{}, ctx.Err()
		}
		return Entry{}, io.EOF // Whoever comes back gets the error with its status.
	}
	if err := r.fill(ctx); err != nil {
		return Entry{}, err
	}
	entry := r.pending[0]
	r.pending = r.pending[1:]
	r.seq = max(r.seq, entry.Event.id().Seq)
	return entry, nil
}

// fill makes sure that something comes next.
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

// Close releases the events. It must be called.
func (r *Reader) Close() {
	if r.feed != nil {
		r.hub.release(r.feed)
	}
	if r.opening != nil {
		r.opening.close()
	}
}

// resume returns a reader of the response that begins after the event which it has, or ErrUpToDate.
func (s *Service) resume(ctx context.Context, response sqlc.AIResponse, last EventID) (*Reader, error) {
	if response.Status != sqlc.AIResponseStatusStreaming && endOf(response).matches(last) {
		return nil, ErrUpToDate
	}
	return s.read(ctx, response, last)
}

// read returns a reader of the response. One that has events of it goes on after them. One that has events of another
// response, or of a log that is gone, is told to start over.
func (s *Service) read(ctx context.Context, response sqlc.AIResponse, last EventID) (*Reader, error) {
	var seen int64
	if last.ResponseID == response.ID {
		seen = last.Seq
	}
	f, err := s.attach(ctx, response, seen)
	if err != nil {
		return nil, err
	}
	r := s.newReader(f, response)
	r.pending = []Entry{s.entry(Start{Response: response})}
	switch {
	case last.Seq == 0:
	case seen > 0 && f.has(last):
		r.seq = seen
	default:
		r.pending = append(r.pending, r.reset())
	}
	return r, nil
}

// await returns when the response has ended.
func (s *Service) await(ctx context.Context, response sqlc.AIResponse) error {
	f, err := s.attach(context.WithoutCancel(ctx), response, 0)
	if err != nil {
		return err
	}
	r := s.newReader(f, response)
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

// newReader returns a reader of a feed that was acquired, which it releases when it is closed.
func (s *Service) newReader(f *feed, response sqlc.AIResponse) *Reader {
	return &Reader{hub: s.hub, feed: f, rewound: f.times(), response: response, encode: s.options.Encode}
}

// attach returns the response's feed with what is committed of it. A feed that others use already may lack the event
// that the reader has seen, on a replica that is ahead of this one.
func (s *Service) attach(ctx context.Context, response sqlc.AIResponse, seen int64) (*feed, error) {
	f := s.hub.acquire(response.ID)
	if lastSeq, _ := f.state(); lastSeq == 0 || lastSeq < seen {
		if err := s.load(ctx, map[*feed]int64{f: lastSeq}); err != nil {
			s.hub.release(f)
			return nil, err
		}
	}
	lastSeq, follow := f.state()
	if lastSeq == 0 && response.Status != sqlc.AIResponseStatusStreaming {
		if err := s.restore(ctx, f, response); err != nil {
			s.hub.release(f)
			return nil, err
		}
	} else if follow {
		s.hub.follow(f)
	}
	return f, nil
}

// restore fills the feed of a response that has ended and whose events were deleted: the whole text is one delta.
func (s *Service) restore(ctx context.Context, f *feed, response sqlc.AIResponse) error {
	end := endOf(response)
	if response.MessageID == nil {
		code := apperr.Internal
		if response.ErrorCode != nil {
			code = apperr.Code(*response.ErrorCode)
		}
		f.publish(s.entry(Failed{ID: end, Err: failureWith(code)}))
		return nil
	}
	message, err := s.store.GetMessage(ctx, *response.MessageID)
	if err != nil {
		return err
	}
	text := EventID{ResponseID: response.ID, Seq: response.LastSeq - 1, Attempt: response.Attempt}
	f.publish(
		s.entry(Delta{ID: text, Content: message.Content}),
		s.entry(Done{ID: end, Response: response, Message: message}),
	)
	return nil
}

// endOf names the last event of a response that has ended.
func endOf(response sqlc.AIResponse) EventID {
	return EventID{ResponseID: response.ID, Seq: response.LastSeq, Attempt: response.Attempt}
}

// reset tells this reader alone to start over.
func (r *Reader) reset() Entry {
	reset := Reset{ID: EventID{ResponseID: r.response.ID, Attempt: r.response.Attempt}, Attempt: r.response.Attempt}
	return Entry{Event: reset, Frame: r.encode(reset)}
}

func (s *Service) entry(e Event) Entry {
	return Entry{Event: e, Frame: s.options.Encode(e)}
}
