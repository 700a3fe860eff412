package assistant

import (
	"context"
	"io"
	"time"

	"github.com/supportbackend/support/internal/assistant/eventlog"
)

// Reader reads the events of a response for one reader. It is not safe for concurrent use.
type Reader struct {
	// opening leads to the first event; it is nil from then on.
	opening *opening
	events  *eventlog.Reader
}

// open returns when the reader has something to read. If ctx ends first, it may be called again.
func (r *Reader) open(ctx context.Context) error {
	if r.opening == nil {
		return nil
	}
	events, err := r.opening.proceed(ctx)
	if err == nil {
		r.events, r.opening = events, nil
	}
	return err
}

// Opening reports whether the reader has yet to find its first event.
func (r *Reader) Opening() bool { return r.opening != nil }

// Next waits for the next event and returns it. It returns io.EOF after a Done, a Ready or a Failed, or when the reader
// should reconnect later.
func (r *Reader) Next(ctx context.Context) (eventlog.Entry, error) {
	if err := r.open(ctx); err != nil {
		if ctx.Err() != nil {
			return eventlog.Entry{}, ctx.Err()
		}
		return eventlog.Entry{}, io.EOF // The reader gets the error as a status when it reconnects.
	}
	return r.events.Next(ctx)
}

// NextWithin is Next for a reader that has found its first event. It returns eventlog.ErrQuiet when quiet receives
// something before there is an event.
func (r *Reader) NextWithin(ctx context.Context, quiet <-chan time.Time) (eventlog.Entry, error) {
	return r.events.NextWithin(ctx, quiet)
}

// Ready reports whether Next has an entry without waiting.
func (r *Reader) Ready() bool { return r.opening == nil && r.events.Ready() }

// Close releases the events. It must be called.
func (r *Reader) Close() {
	if r.opening != nil {
		r.opening.close()
		return
	}
	r.events.Close()
}
