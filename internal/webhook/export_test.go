package webhook

import "time"

// SetTimeout sets the timeout of a Service's attempts.
func SetTimeout(s *Service, timeout time.Duration) { s.sender.timeout = timeout }

// Schedule returns the waits before each attempt of a delivery.
func Schedule() []time.Duration { return schedule }

// WaitAfter returns how long a delivery waits after this many attempts, if the last response had a Retry-After.
func WaitAfter(attempts int, retryAfter time.Duration) (wait time.Duration, ok bool) {
	return waitAfter(attempts, result{retryAfter: retryAfter})
}
