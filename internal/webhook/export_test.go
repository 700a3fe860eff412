package webhook

import "time"

// SetTimeout bounds the attempts of a Service.
func SetTimeout(s *Service, timeout time.Duration) { s.sender.timeout = timeout }

// Schedule is how long a delivery waits before each of its attempts.
func Schedule() []time.Duration { return schedule }

// WaitAfter is how long a delivery waits after so many attempts, of which the last was answered with a wait.
func WaitAfter(attempts int, retryAfter time.Duration) (wait time.Duration, ok bool) {
	return waitAfter(attempts, result{retryAfter: retryAfter})
}
