package assistant

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/groq"
)

// pass lets the bubble's time pass.
func pass(d time.Duration) { <-time.After(d) }

func requireAdmitted(t *testing.T, b *breaker) {
	t.Helper()
	require.Zero(t, b.wait())
	wait, ok := b.admit()
	require.True(t, ok)
	require.Zero(t, wait)
}

func requireAdmissionRefused(t *testing.T, b *breaker, want time.Duration) {
	t.Helper()
	require.Equal(t, want, b.wait())
	wait, ok := b.admit()
	require.False(t, ok)
	require.Equal(t, want, wait)
}

// openBreaker is a breaker that has just opened.
func openBreaker(t *testing.T) *breaker {
	t.Helper()
	b := &breaker{}
	for range breakerFailures {
		requireAdmitted(t, b)
		b.failed()
	}
	requireAdmissionRefused(t, b, breakerPause)
	return b
}

func TestBreakerOpensAfterFailuresInAShortTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := openBreaker(t)
		pass(breakerPause - time.Second)
		requireAdmissionRefused(t, b, time.Second)
		pass(time.Second)
		requireAdmitted(t, b)
	})
}

func TestBreakerStaysClosed(t *testing.T) {
	t.Parallel()
	for name, work := range map[string]func(b *breaker){
		"failures far apart": func(b *breaker) {
			for range 5 * breakerFailures {
				b.failed()
				pass(breakerWindow/(breakerFailures-1) + time.Millisecond)
			}
		},
		"a success between failures": func(b *breaker) {
			for i := range 5 * breakerFailures {
				if i%(breakerFailures-1) == 0 {
					b.succeeded()
				}
				b.failed()
			}
		},
		"requests that say nothing of the model": func(b *breaker) {
			for range 5 * breakerFailures {
				b.ended()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &breaker{}
				work(b)
				requireAdmitted(t, b)
				requireAdmitted(t, b) // Not only one at a time.
			})
		})
	}
}

func TestOneRequestTriesWhetherTheModelIsBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(*breaker)
		then func(*testing.T, *breaker)
	}{
		"it is": {(*breaker).succeeded, func(t *testing.T, b *breaker) {
			t.Helper()
			requireAdmitted(t, b)
			requireAdmitted(t, b)
			for range breakerFailures - 1 {
				b.failed() // What was before does not count any more.
			}
			requireAdmitted(t, b)
		}},
		"it is not": {(*breaker).failed, func(t *testing.T, b *breaker) {
			t.Helper()
			requireAdmissionRefused(t, b, breakerPause)
			pass(breakerPause)
			requireAdmitted(t, b)
			requireAdmissionRefused(t, b, probePause)
		}},
		"it was cancelled": {(*breaker).ended, func(t *testing.T, b *breaker) {
			t.Helper()
			requireAdmitted(t, b)
			requireAdmissionRefused(t, b, probePause)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := openBreaker(t)
				pass(breakerPause)
				requireAdmitted(t, b)
				requireAdmissionRefused(t, b, probePause)
				c.end(b)
				c.then(t, b)
			})
		})
	}
}

func TestUpstreamIsRefusedOnlyWhenNoModelTakesRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, err := groq.New(groq.Options{BaseURL: "http://127.0.0.1:1"})
		require.NoError(t, err)
		u := newUpstream(client, []string{"a", "b"}, 1)
		overloaded := &groq.Error{Kind: groq.Overloaded}
		for range breakerFailures {
			u.report("a", overloaded)
		}
		require.NoError(t, u.check("a"), "b may answer for it")
		pass(breakerPause - 10*time.Second)
		for range breakerFailures {
			u.report("b", overloaded)
		}
		var refused *apperr.Error
		require.ErrorAs(t, u.check(""), &refused)
		require.Equal(t, apperr.AIOverloaded, refused.Code)
		require.Equal(t, 10*time.Second, refused.RetryAfter, "then a is tried")
		pass(10 * time.Second)
		require.NoError(t, u.check("b"))
	})
}

func TestWhatCountsAsAFailureOfTheModel(t *testing.T) {
	t.Parallel()
	for _, kind := range []groq.Kind{
		groq.Overloaded, groq.Misconfigured, groq.Timeout, groq.Stalled, groq.Protocol,
		groq.Rejected, groq.TooLarge, groq.Empty, groq.Canceled,
	} {
		u := newUpstream(nil, []string{"a"}, 1)
		for range breakerFailures {
			u.report("a", &groq.Error{Kind: kind})
		}
		counts := kind != groq.Rejected && kind != groq.TooLarge && kind != groq.Empty && kind != groq.Canceled
		require.Equal(t, counts, u.breakers["a"].wait() > 0, kind)
	}
	u := newUpstream(nil, []string{"a"}, 1)
	for range breakerFailures {
		u.report("a", errLost)
		u.report("a", context.Canceled)
	}
	require.Zero(t, u.breakers["a"].wait(), "what is not upstream's is not the model's")
}

func TestModelsAreTriedFromTheOneAskedFor(t *testing.T) {
	t.Parallel()
	u := newUpstream(nil, []string{"a", "b", "c"}, 1)
	require.Equal(t, []string{"a", "b", "c"}, u.chain("a"))
	require.Equal(t, []string{"c", "a", "b"}, u.chain("c"))
	require.Equal(t, []string{"a", "b", "c"}, u.chain("of another release"))
}
