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

func (r *readiness) check(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < readinessTTL {
		return r.err
	}
	return r.run(ctx)
}

// recheck is check for a caller who has seen a fault, which an earlier success does not explain.
func (r *readiness) recheck(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil && time.Since(r.asked) < readinessTTL {
		return r.err
	}
	return r.run(ctx)
}

// run asks. The caller holds the lock. A probe that disconnects must not cancel the check for the next one.
func (r *readiness) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readinessTimeout)
	defer cancel()
	r.err = r.ask(ctx)
	r.asked = time.Now()
	return r.err
}
