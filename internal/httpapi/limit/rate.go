package limit

import (
	"sync"
	"time"
)

const (
	// BurstSeconds is the size of the burst: that many seconds' worth of requests are accepted at once.
	BurstSeconds = 2
	// maxCallers limits how many callers are remembered. A forgotten caller starts with a full bucket, which it would
	// have after BurstSeconds anyway.
	maxCallers = 100_000
)

// Rate gives each caller a token bucket, by the generic cell rate algorithm: the only state of a bucket is when it will be
// full.
type Rate struct {
	interval time.Duration // in which the bucket regains one request
	burst    int
	now      func() time.Time

	mu sync.Mutex
	// young and old map callers to when their buckets are full again. When young has enough of them, it replaces old.
	young, old map[Caller]time.Time
}

// NewRate returns nil, which limits nobody, for 0 requests per second.
func NewRate(perSecond int) *Rate {
	if perSecond == 0 {
		return nil
	}
	return &Rate{
		interval: time.Second / time.Duration(perSecond), burst: perSecond * BurstSeconds, now: time.Now,
		young: make(map[Caller]time.Time),
	}
}

// Burst returns how many requests a full bucket has.
func (l *Rate) Burst() int { return l.burst }

// Take takes the cost of a request from the caller's bucket, if there is enough. It returns what is left and how long
// it takes to regain one request or, after a refusal, enough for this one; zero when the bucket is full. A request
// never costs more than a full bucket.
func (l *Rate) Take(c Caller, cost int) (left int, next time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	full := l.recallLocked(c)
	if full.Before(now) {
		full = now
	}
	missing := full.Add(l.price(cost)).Sub(now)
	capacity := time.Duration(l.burst) * l.interval
	if missing > capacity {
		return int((capacity - full.Sub(now)) / l.interval), missing - capacity, false
	}
	l.young[c] = now.Add(missing)
	left = int((capacity - missing) / l.interval)
	return left, missing - time.Duration(l.burst-left-1)*l.interval, true
}

// GiveBack undoes Take.
func (l *Rate) GiveBack(c Caller, cost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.young[c] = l.recallLocked(c).Add(-l.price(cost))
}

// price returns how long the bucket takes to regain the cost.
func (l *Rate) price(cost int) time.Duration {
	return l.interval * time.Duration(min(cost, l.burst))
}

// recallLocked returns when the caller's bucket is full, and marks the caller as young.
func (l *Rate) recallLocked(c Caller) time.Time {
	full, known := l.young[c]
	if known {
		return full
	}
	full = l.old[c]
	if len(l.young) >= maxCallers/2 {
		l.young, l.old = make(map[Caller]time.Time), l.young
	}
	l.young[c] = full
	return full
}
