package groq

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "0.5": 500 * time.Millisecond, "-1": 0, "NaN": 0, "Inf": maxRetryAfter, "1e300": maxRetryAfter, "soon": 0,
		"Mon, 02 Jan 2006 15:04:05 GMT": 0,
	} {
		require.Equal(t, want, retryAfter(http.Header{"Retry-After": {value}}, detail{}), value)
	}
	future := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	require.InDelta(t, time.Hour, retryAfter(http.Header{"Retry-After": {future}}, detail{}), float64(2*time.Second))
	for message, want := range map[string]time.Duration{
		"Please try again in 547ms. Need": 547 * time.Millisecond, "try again in 1h2m": 62 * time.Minute,
		"try again in 999999999h": 0, "try again in a while": 0, "try again in 7.66s": 7660 * time.Millisecond,
	} {
		require.Equal(t, want, retryAfter(nil, detail{message: message}), message)
	}
}

func TestBackoffStaysInItsRange(t *testing.T) {
	t.Parallel()
	for attempts, ceiling := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 9: 4 * time.Second} {
		for range 1000 {
			wait := backoff(attempts)
			require.True(t, minBackoff <= wait && wait < ceiling, "%s", wait)
		}
	}
}
