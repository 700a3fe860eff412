package webhook

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// schedule is how long a delivery waits before each of its attempts.
var schedule = []time.Duration{
	0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
	20 * time.Hour, 24 * time.Hour,
}

const (
	// jitter is the fraction by which a wait is lengthened at random: at most a fifth.
	jitter = 5

	// breakAfter is how many attempts in a row may fail. After that, a webhook gets one delivery at a time, with pauses
	// that double from minPause to maxPause.
	breakAfter = 5
	minPause   = 15 * time.Second
	maxPause   = 10 * time.Minute

	// maxRetryAfter is the longest Retry-After that a webhook waits for.
	maxRetryAfter = time.Hour

	// A webhook is disabled when every attempt has failed for as long as patience, and there were at least minFailures.
	patience    = 5 * 24 * time.Hour
	minFailures = 10
)

// The reasons for disabling a webhook, as in the contract.
const (
	reasonGone    = "gone"
	reasonFailing = "failing"
)

// waitAfter returns how long a delivery waits after that many failed attempts. ok is false after the last one.
func waitAfter(attempts int, r result) (wait time.Duration, ok bool) {
	if attempts >= len(schedule) {
		return 0, false
	}
	wait = max(schedule[attempts], r.retryAfter)
	return wait + rand.N(wait/jitter+1), true //nolint:gosec // Jitter needs no secrecy.
}

// health is the state of a webhook's receiver.
type health struct {
	failures int32
	// pause is how long to send nothing. disable is the reason to disable the webhook, if any.
	pause   time.Duration
	disable string
}

// after is the health after some attempts.
func (h health) after(results []result) health {
	var asked time.Duration
	next := health{failures: h.failures}
	for _, r := range results {
		if r.ok() {
			return health{pause: asked}
		}
		if r.failure == errorExpired {
			continue // It says nothing about the receiver.
		}
		next.failures++
		if r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable {
			asked = max(asked, min(r.retryAfter, maxRetryAfter))
		}
		if r.status == http.StatusGone {
			next.disable = reasonGone
		}
	}
	next.pause = max(asked, pauseAfter(next.failures))
	if next.disable == "" && next.failures >= minFailures {
		next.disable = reasonFailing // The statement checks how long it has lasted.
	}
	return next
}

// pauseAfter returns the pause after that many failures in a row.
func pauseAfter(failures int32) time.Duration {
	if failures < breakAfter {
		return 0
	}
	pause := minPause
	for range failures - breakAfter {
		if pause *= 2; pause >= maxPause {
			return maxPause
		}
	}
	return pause
}
