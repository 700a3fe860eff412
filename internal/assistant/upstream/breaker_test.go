package upstream

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/groq"
)

// elapse advances the time of the synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }

func requireAdmitted(t *testing.T, b *breaker) *pass {
	t.Helper()
	require.Zero(t, b.wait())
	p, wait := b.admit()
	require.NotNil(t, p)
	require.Zero(t, wait)
	return p
}

// closed returns a request that the closed breaker admitted.
func closed(b *breaker) *pass { return &pass{breaker: b} }

func requireAdmissionRefused(t *testing.T, b *breaker, want time.Duration) {
	t.Helper()
	require.Equal(t, want, b.wait())
	p, wait := b.admit()
	require.Nil(t, p)
	require.Equal(t, want, wait)
}

// openBreaker returns a breaker that has just opened.
func openBreaker(t *testing.T) *breaker {
	t.Helper()
	b := &breaker{}
	for range breakerFailures {
		requireAdmitted(t, b).failed()
	}
	requireAdmissionRefused(t, b, breakerPause)
	return b
}

func TestBreakerOpensAfterFailuresInAShortTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := openBreaker(t)
		elapse(breakerPause - time.Second)
		requireAdmissionRefused(t, b, time.Second)
		elapse(time.Second)
		requireAdmitted(t, b)
	})
}

func TestBreakerStaysClosed(t *testing.T) {
	t.Parallel()
	for name, work := range map[string]func(b *breaker){
		"failures far apart": func(b *breaker) {
			for range 5 * breakerFailures {
				closed(b).failed()
				elapse(breakerWindow/(breakerFailures-1) + time.Millisecond)
			}
		},
		"a success between failures": func(b *breaker) {
			for i := range 5 * breakerFailures {
				if i%(breakerFailures-1) == 0 {
					closed(b).succeeded()
				}
				closed(b).failed()
			}
		},
		"requests that say nothing of the model": func(b *breaker) {
			for range 5 * breakerFailures {
				closed(b).ended()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &breaker{}
				work(b)
				requireAdmitted(t, b)
				requireAdmitted(t, b) // More than one at a time is admitted.
			})
		})
	}
}

func TestAnswersThatAreLostTogetherCountOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, lost := &breaker{}, &groq.Error{Kind: groq.Protocol, Code: groq.CodeConnectionLost}
		for range breakerFailures - 1 {
			for range 2 * breakerFailures {
				closed(b).report(lost)
			}
			elapse(lossWindow)
		}
		requireAdmitted(t, b)
		closed(b).report(lost)
		requireAdmissionRefused(t, b, breakerPause)

		elapse(breakerPause)
		probe := requireAdmitted(t, b)
		closed(b).report(lost)
		probe.report(lost)
		requireAdmitted(t, b) // The probe was lost with another answer, so it says nothing.
	})
}

func TestHalfOpenBreakerAdmitsOneRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(*pass)
		then func(*testing.T, *breaker)
	}{
		"it is": {(*pass).succeeded, func(t *testing.T, b *breaker) {
			t.Helper()
			requireAdmitted(t, b)
			requireAdmitted(t, b)
			for range breakerFailures - 1 {
				closed(b).failed() // Earlier results no longer count.
			}
			requireAdmitted(t, b)
		}},
		"it is not": {(*pass).failed, func(t *testing.T, b *breaker) {
			t.Helper()
			requireAdmissionRefused(t, b, breakerPause)
			elapse(breakerPause)
			requireAdmitted(t, b)
			requireAdmissionRefused(t, b, probePause)
		}},
		"it was cancelled": {(*pass).ended, func(t *testing.T, b *breaker) {
			t.Helper()
			requireAdmitted(t, b)
			requireAdmissionRefused(t, b, probePause)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := openBreaker(t)
				elapse(breakerPause)
				late := closed(b)
				probe := requireAdmitted(t, b)
				requireAdmissionRefused(t, b, probePause)
				late.ended()
				requireAdmissionRefused(t, b, probePause)
				c.end(probe)
				c.then(t, b)
			})
		})
	}
}

func TestCheckFailsOnlyWhenAllBreakersAreOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := NewModels(&groq.Client{}, []string{"a", "b"}, 1, metrics.NewSet())
		overloaded := &groq.Error{Kind: groq.Overloaded}
		for range breakerFailures {
			closed(u.breakers["a"]).report(overloaded)
		}
		require.NoError(t, u.Check("a"), "b may answer for it")
		elapse(breakerPause - 10*time.Second)
		for range breakerFailures {
			closed(u.breakers["b"]).report(overloaded)
		}
		err := u.Check("")
		code, _ := Code(err)
		require.Equal(t, apperr.AIOverloaded, code)
		require.Equal(t, 10*time.Second, RetryAfter(err), "the wait until a is tried")
		elapse(10 * time.Second)
		require.NoError(t, u.Check("b"))
	})
}

func TestBreakerReturnsRetryAfterOfUpstream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := NewModels(&groq.Client{}, []string{"a"}, 1, metrics.NewSet())
		limited := &groq.Error{Kind: groq.Overloaded, RetryAfter: 2 * time.Hour}
		for range breakerFailures {
			closed(u.breakers["a"]).report(limited)
		}
		require.Equal(t, 2*time.Hour, RetryAfter(u.Check("")))
		_, wait := u.breakers["a"].admit()
		require.Equal(t, 2*time.Hour, wait)
		elapse(breakerPause)
		requireAdmitted(t, u.breakers["a"]).succeeded() // The probe does not wait that long.
		require.NoError(t, u.Check(""))
	})
}

func TestWhatCountsAsAFailureOfTheModel(t *testing.T) {
	t.Parallel()
	for _, kind := range []groq.Kind{
		groq.Overloaded, groq.Misconfigured, groq.Timeout, groq.Stalled, groq.Protocol,
		groq.Rejected, groq.TooLarge, groq.Empty, groq.NoAnswer, groq.Cancelled,
	} {
		u := NewModels(nil, []string{"a"}, 1, metrics.NewSet())
		for range breakerFailures {
			closed(u.breakers["a"]).report(&groq.Error{Kind: kind})
		}
		counts := kind != groq.Rejected && kind != groq.TooLarge && kind != groq.Empty && kind != groq.NoAnswer &&
			kind != groq.Cancelled
		require.Equal(t, counts, u.breakers["a"].wait() > 0, kind)
	}
	u := NewModels(nil, []string{"a"}, 1, metrics.NewSet())
	for range breakerFailures {
		closed(u.breakers["a"]).report(errors.New("the response is lost"))
		closed(u.breakers["a"]).report(context.Canceled)
	}
	require.Zero(t, u.breakers["a"].wait(), "errors of other kinds do not count against the model")
}

func TestModelsAreTriedFromTheRequestedOne(t *testing.T) {
	t.Parallel()
	u := NewModels(nil, []string{"a", "b", "c"}, 1, metrics.NewSet())
	require.Equal(t, []string{"a", "b", "c"}, u.chain("a"))
	require.Equal(t, []string{"c", "a", "b"}, u.chain("c"))
	require.Equal(t, []string{"a", "b", "c"}, u.chain("of another release"))
}
