// Package background runs the work that services do besides requests. Jobs spreads it over all replicas, Every repeats
// what each replica does by itself, Outage logs failures, and Batches works in small pieces.
package background

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Every calls f repeatedly until ctx ends. Before each call it waits for the interval, minus up to a quarter at random,
// so that replicas that started together do not query the database at the same time. The outage logs the errors of f.
func Every(ctx context.Context, interval time.Duration, o *Outage, f func(context.Context) error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval - rand.N(interval/4)): //nolint:gosec // Jitter needs no secrecy.
		}
		o.Note(ctx, f(ctx))
	}
}

// Outage logs the first failure of something that is tried repeatedly, and its recovery, but no failure in between.
type Outage struct {
	// While says what was attempted, such as "deleting expired sessions".
	While  string
	Logger *slog.Logger

	mu    sync.Mutex
	since time.Time
}

// Note records the result of an attempt. It ignores results once ctx is cancelled, but not when its deadline has passed.
func (o *Outage) Note(ctx context.Context, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
	case err != nil && o.since.IsZero():
		o.since = time.Now()
		o.Logger.WarnContext(ctx, "background work fails", slog.String("while", o.While), slog.Any("error", err))
	case err == nil && !o.since.IsZero():
		o.Logger.InfoContext(ctx, "background work succeeds again", slog.String("while", o.While),
			slog.Duration("after", time.Since(o.since)))
		o.since = time.Time{}
	}
}
