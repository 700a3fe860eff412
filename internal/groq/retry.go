package groq

import (
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

const (
	minBackoff  = 250 * time.Millisecond
	baseBackoff = time.Second
	maxBackoff  = 4 * time.Second
	// maxRetryAfter keeps a nonsensical wait from upstream within what callers can pass on.
	maxRetryAfter = 24 * time.Hour
)

// backoff returns the wait after the given number of failed attempts, 1 or more: a random time between 0.25 s and a
// ceiling of 1 s, 2 s, and then 4 s. The full range is used so that many clients do not come back together.
func backoff(attempts int) time.Duration {
	ceiling := maxBackoff
	if shift := attempts - 1; shift < 2 {
		ceiling = baseBackoff << shift
	}
	return minBackoff + jitter(ceiling-minBackoff)
}

func jitter(below time.Duration) time.Duration {
	return rand.N(below) //nolint:gosec // Spreading retries needs no secrecy.
}

// retryWait returns how long to wait before the next attempt. A wait that upstream asked for is kept, with a little
// jitter on top because everybody was told the same.
func retryWait(attempts int, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked + jitter(minBackoff)
	}
	return backoff(attempts)
}

// retryAfter returns the wait that upstream asks for, 0 if it does not say. The header is the authority, but Groq does
// not always send it. The message then names the wait, also for the daily limits, which no header shows. The header
// that says when the limit is full again is the last resort.
func retryAfter(header http.Header, d detail) time.Duration {
	// The SDKs' header in milliseconds is the more precise of the two.
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return time.Duration(min(ms, float64(maxRetryAfter.Milliseconds())) * float64(time.Millisecond))
	}
	if wait := headerWait(header.Get("Retry-After")); wait > 0 {
		return min(wait, maxRetryAfter)
	}
	if match := tryAgainPattern.FindStringSubmatch(d.message); match != nil {
		if wait, err := time.ParseDuration(match[1]); err == nil && wait > 0 {
			return min(wait, maxRetryAfter)
		}
	}
	name := "X-Ratelimit-Reset-Tokens"
	if d.typ == "requests" || header.Get("X-Ratelimit-Remaining-Requests") == "0" {
		name = "X-Ratelimit-Reset-Requests"
	}
	if wait, err := time.ParseDuration(header.Get(name)); err == nil && wait > 0 {
		return min(wait, maxRetryAfter)
	}
	return 0
}

var tryAgainPattern = regexp.MustCompile(`(?i)\btry again in ((?:\d{1,9}(?:\.\d{1,9})?(?:ms|h|m|s))+)`)

// headerWait reads a Retry-After header: seconds, perhaps with a fraction, or an HTTP date.
func headerWait(value string) time.Duration {
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if !(seconds > 0) {
			return 0
		}
		return time.Duration(min(seconds, maxRetryAfter.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return time.Until(at)
	}
	return 0
}
