package assistant

import (
	"context"
	"errors"
	"io"

	"github.com/supportbackend/support/gen/sqlc"
)

// Reader is one reader's way through the events of a response. It is not safe for use by several goroutines.
type Reader struct {
	hub *hub
	// feed has the events, and seq is the last one that the reader was given.
	feed *feed
	seq  int64
	// pending are entries that come next.
	pending []Entry
}

// Next returns the next event and waits for it as long as ctx allows. It returns io.EOF when there are no more: after a
// Done or a Failed, or else because the reader is to come back later.
func (r *Reader) Next(ctx context.Context) (Entry, error) {
	if len(r.pending) == 0 {
		entries, err := r.feed.after(ctx, r.seq)
		if err != nil {
			return Entry{}, err
		}
		r.pending = entries
	}
	entry := r.pending[0]
	r.pending = r.pending[1:]
	r.seq = max(r.seq, entry.Event.seq())
	return entry, nil
}

// Close lets go of the events. It must be called.
func (r *Reader) Close() { r.hub.release(r.feed) }

// read returns a reader of the response that begins after the event which it has.
func (s *Service) read(ctx context.Context, response sqlc.AIResponse, last EventID) (*Reader, error) {
	f, err := s.attach(ctx, response)
	if err != nil {
		return nil, err
	}
	r := &Reader{hub: s.hub, feed: f}
	if err := r.begin(ctx, s, response, last); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// attach returns the response's feed with what is committed of it.
func (s *Service) attach(ctx context.Context, response sqlc.AIResponse) (*feed, error) {
	f, isNew := s.hub.acquire(response.ID)
	if isNew {
		if err := s.load(ctx, map[*feed]int64{f: 0}); err != nil {
			s.hub.release(f)
			return nil, err
		}
	}
	lastSeq, follow := f.state()
	if lastSeq == 0 && response.Status == sqlc.AIResponseStatusCompleted {
		if err := s.restoreFromMessage(ctx, f, response); err != nil {
			s.hub.release(f)
			return nil, err
		}
	} else if follow {
		s.hub.follow()
	}
	return f, nil
}

// restoreFromMessage fills the feed of a response whose events were deleted: the whole text is one delta.
func (s *Service) restoreFromMessage(ctx context.Context, f *feed, response sqlc.AIResponse) error {
	message, err := s.store.GetMessageByID(ctx, *response.MessageID)
	if err != nil {
		return err
	}
	s.publish(f, Delta{ID: EventID{response.ID, response.LastSeq - 1}, Content: message.Content})
	s.publish(f, Done{ID: EventID{response.ID, response.LastSeq}, Response: response, Message: message})
	return nil
}

// begin decides what the reader gets first. A reader that has events of this response goes on after them. One that has
// events of another response, or of a log that is gone, is told to begin anew. One that has none waits for the first
// event, so that a response which fails before it has anything to say can be answered with a status.
func (r *Reader) begin(ctx context.Context, s *Service, response sqlc.AIResponse, last EventID) error {
	r.pending = []Entry{s.entry(Start{Response: response})}
	switch {
	case last.Seq == 0:
	case last.ResponseID == response.ID && r.feed.has(last.Seq):
		r.seq = last.Seq
		return nil
	default:
		reset := Reset{ID: EventID{ResponseID: response.ID}, Attempt: response.Attempt}
		r.pending = append(r.pending, s.entry(reset))
	}
	first, err := r.feed.after(ctx, 0)
	if errors.Is(err, io.EOF) {
		return errComeBack()
	}
	if err != nil {
		return err
	}
	if failed, ok := first[0].Event.(Failed); ok {
		return failed.Err
	}
	return nil
}

func (s *Service) entry(e Event) Entry {
	return Entry{Event: e, Frame: s.options.Encode(e)}
}
