package assistant

import (
	"context"
	"io"

	"github.com/supportbackend/support/gen/sqlc"
)

// Reader is one reader's way through the events of a response. It is not safe for use by several goroutines.
type Reader struct {
	// pending are events that are there already.
	pending []Event
	// run goes on where pending ends; nil when the response has ended.
	run *run
	seq int64
}

// Next returns the next event and waits for it as long as ctx allows. After the last event it returns io.EOF.
func (r *Reader) Next(ctx context.Context) (Event, error) {
	for len(r.pending) == 0 {
		if r.run == nil {
			return nil, io.EOF
		}
		events, ended, err := r.run.wait(ctx, r.seq)
		if err != nil {
			return nil, err
		}
		r.pending = events
		if ended {
			r.run = nil
		}
	}
	event := r.pending[0]
	r.pending = r.pending[1:]
	r.seq = max(r.seq, event.seq())
	return event, nil
}

// follow returns a reader of a response that this process is writing.
func follow(r *run, last EventID) *Reader {
	reader := &Reader{run: r, pending: begin(r.response, last)}
	if last.ResponseID == r.response.ID {
		reader.seq = last.Seq
	}
	return reader
}

// replay returns a reader of a response that was completed: its text comes as one delta. The events it was written in
// are not kept, so a reader that has some of them is told to begin anew.
func replay(response sqlc.AIResponse, message sqlc.Message, last EventID) *Reader {
	pending := begin(response, last)
	if last.ResponseID == response.ID {
		pending = append(pending, reset(response))
	}
	return &Reader{pending: append(pending,
		Delta{ID: EventID{response.ID, response.LastSeq - 1}, Content: message.Content},
		Done{ID: EventID{response.ID, response.LastSeq}, Response: response, Message: message},
	)}
}

// begin returns what comes first: the Start, and for a reader that has events of another response a Reset, because the
// text it has shown is not this response's.
func begin(response sqlc.AIResponse, last EventID) []Event {
	events := []Event{Start{Response: response}}
	if last.ResponseID != response.ID && last.Seq > 0 {
		events = append(events, reset(response))
	}
	return events
}

func reset(response sqlc.AIResponse) Reset {
	return Reset{ID: EventID{ResponseID: response.ID}, Attempt: response.Attempt}
}
