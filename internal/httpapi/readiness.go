package httpapi

import (
	"context"
	"sync"
	"time"
)

const (
	readinessTTL     = time.Second
	readinessTimeout = time.Second
)

// readiness runs the check at most once a second, however many probes arrive.
type readiness struct {
	ask func(context.Context) error

	mu    sync.Mutex
	asked time.Time
	err   error
}

// check returns a recent answer, or a new one. For a caller who has seen a fault, a recent success explains nothing.
func (r *readiness) check(ctx context.Context, faulty bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < readinessTTL && (r.err != nil || !faulty) {
		return r.err
	}
	// A probe that disconnects must not cancel the check for the next one.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readinessTimeout)
	defer cancel()
	r.err = r.ask(ctx)
	r.asked = time.Now()
	return r.err
}
