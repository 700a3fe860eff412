package upstream

import (
	"slices"
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
	// retryAt is when upstream asked to be tried again. Callers are told that time; the probe does not wait for it, because
	// a limit is often gone earlier.
	retryAt time.Time
}

// pass is a request that a breaker has let through. It ends once.
type pass struct {
	breaker *breaker
	// probe is the one request that tries whether the model is back.
	probe bool
}

// admit lets a request through, or says how long to wait.
func (b *breaker) admit() (p *pass, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait = b.waitLocked(); wait > 0 {
		return nil, wait
	}
	b.probing = !b.openUntil.IsZero()
	return &pass{breaker: b, probe: b.probing}, 0
}

// wait is how long no request is let through; 0 when one is.
func (b *breaker) wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waitLocked()
}

func (b *breaker) waitLocked() time.Duration {
	wait := max(time.Until(b.openUntil), 0)
	if b.probing {
		wait = probePause
	}
	if wait == 0 {
		return 0
	}
	return max(wait, time.Until(b.retryAt))
}

// heed notes that upstream asked to wait.
func (b *breaker) heed(retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := time.Now().Add(retryAfter); at.After(b.retryAt) {
		b.retryAt = at
	}
}

// succeeded closes the breaker: the model answers.
func (p *pass) succeeded() {
	b := p.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.openUntil, b.retryAt, b.probing, p.probe = nil, time.Time{}, time.Time{}, false, false
}

// failed counts a failure of the model, and opens the breaker when it was one too many, or the probe.
func (p *pass) failed() {
	b := p.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.failures = slices.DeleteFunc(b.failures, func(at time.Time) bool { return now.Sub(at) >= breakerWindow })
	b.failures = append(b.failures, now)
	if p.probe || b.openUntil.IsZero() && len(b.failures) >= breakerFailures {
		b.openUntil = now.Add(breakerPause)
		b.failures, b.probing = nil, false
	}
}

// ended is for a request that says nothing of the model, such as one that was cancelled.
func (p *pass) ended() {
	p.breaker.mu.Lock()
	defer p.breaker.mu.Unlock()
	if p.probe {
		p.breaker.probing = false
	}
}
