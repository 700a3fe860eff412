package upstream

import (
	"slices"
	"sync"
	"time"
)

const (
	// A model that fails breakerFailures times within breakerWindow gets no requests for breakerPause. After that, one
	// request at a time probes whether it is back.
	breakerFailures = 5
	breakerWindow   = 30 * time.Second
	breakerPause    = 30 * time.Second
	// probePause is the Retry-After during such a probe.
	probePause = time.Second
	// Answers share connections, so they are lost together. Losses within lossWindow count as one failure.
	lossWindow = time.Second
)

// breaker refuses requests to a failing model at once, instead of after a timeout each. Each replica has its own,
// because what fails for one may work for another.
type breaker struct {
	mu       sync.Mutex
	failures []time.Time // of the last breakerWindow
	lostAt   time.Time   // when the last loss of a connection was counted
	// openUntil is zero while the breaker is closed.
	openUntil time.Time
	probing   bool
	// retryAt is the time after which upstream asked for the next request. It becomes the callers' Retry-After; probes
	// do not wait for it, because a limit is often lifted earlier.
	retryAt time.Time
}

// pass is a request that a breaker has admitted. It ends once.
type pass struct {
	breaker *breaker
	// probe marks the request that probes whether the model is back.
	probe bool
}

// admit admits a request, or returns how long to wait.
func (b *breaker) admit() (p *pass, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait = b.waitLocked(); wait > 0 {
		return nil, wait
	}
	b.probing = !b.openUntil.IsZero()
	return &pass{breaker: b, probe: b.probing}, 0
}

// wait returns how long no request is admitted; 0 if one is.
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

// heed records that upstream asked to wait.
func (b *breaker) heed(retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := time.Now().Add(retryAfter); at.After(b.retryAt) {
		b.retryAt = at
	}
}

// succeeded closes the breaker.
func (p *pass) succeeded() {
	b := p.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.openUntil, b.retryAt, b.probing, p.probe = nil, time.Time{}, time.Time{}, false, false
}

// failed counts a failure of the model, and opens the breaker after too many, or if it was the probe.
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

// lost counts the loss of a connection as a failure of the model, once for all its requests.
func (p *pass) lost() {
	if p.breaker.countsLoss() {
		p.failed()
	} else {
		p.ended()
	}
}

func (b *breaker) countsLoss() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if now.Sub(b.lostAt) < lossWindow {
		return false
	}
	b.lostAt = now
	return true
}

// ended ends a request that says nothing about the model, such as a cancelled one.
func (p *pass) ended() {
	p.breaker.mu.Lock()
	defer p.breaker.mu.Unlock()
	if p.probe {
		p.breaker.probing = false
	}
}
