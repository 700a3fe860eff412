package assistant

import (
	"sync"
	"time"
)

const (
	// A model that fails breakerFailures times within breakerWindow is left alone for breakerPause. After that one
	// request at a time tries whether it is back.
	breakerFailures = 5
	breakerWindow   = 30 * time.Second
	breakerPause    = 30 * time.Second
	// probePause is when to ask again while that request is under way.
	probePause = time.Second
)

// breaker keeps requests from a model that fails, so that they are refused at once instead of after a timeout each. It is
// a replica's own: what fails for one may work for another.
type breaker struct {
	mu       sync.Mutex
	failures []time.Time // of the last breakerWindow
	// openUntil is zero while the breaker is closed.
	openUntil time.Time
	probing   bool
}

// admit lets a request through, or says how long to wait. The caller reports how the request went.
func (b *breaker) admit() (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait = b.waitLocked()
	if wait > 0 {
		return wait, false
	}
	b.probing = !b.openUntil.IsZero()
	return 0, true
}

// wait is how long no request is let through; 0 when one is.
func (b *breaker) wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waitLocked()
}

func (b *breaker) waitLocked() time.Duration {
	if b.probing {
		return probePause
	}
	return max(time.Until(b.openUntil), 0)
}

// succeeded closes the breaker.
func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.openUntil, b.probing = nil, time.Time{}, false
}

// failed counts a failure of the model, and opens the breaker when it was one too many, or the probe.
func (b *breaker) failed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	kept := b.failures[:0]
	for _, at := range b.failures {
		if now.Sub(at) < breakerWindow {
			kept = append(kept, at)
		}
	}
	b.failures = append(kept, now)
	if b.probing || b.openUntil.IsZero() && len(b.failures) >= breakerFailures {
		b.openUntil = now.Add(breakerPause)
		b.failures, b.probing = nil, false
	}
}

// ended takes back a request that says nothing of the model, such as one that was cancelled.
func (b *breaker) ended() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}
