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

// Opening reports whether the reader has yet to find its first event.
func (r *Reader) Opening() bool { return r.opening != nil }

// Open waits until the reader has found its first event. It returns io.EOF when the reader should reconnect later. If ctx
// ends first, Open may be called again.
func (r *Reader) Open(ctx context.Context) error {
	err := r.open(ctx)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return io.EOF // The reader gets the error as a status when it reconnects.
	}
	return nil
}

// open returns the errors of proceed.
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

// Next waits for the next event and returns it. It returns io.EOF after a Done, a Ready or a Failed, or when the reader
// should reconnect later.
func (r *Reader) Next(ctx context.Context) (eventlog.Entry, error) {
	if err := r.Open(ctx); err != nil {
		return eventlog.Entry{}, err
	}
	return r.events.Next(ctx)
}

// Wait waits until Next has an entry, for a reader that has found its first event. It returns io.EOF when Next would, and
// eventlog.ErrQuiet when quiet receives something first.
func (r *Reader) Wait(ctx context.Context, quiet <-chan time.Time) error {
	return r.events.Wait(ctx, quiet)
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
