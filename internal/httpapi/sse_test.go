package httpapi

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHeartbeatsOfAllReadersCoincide(t *testing.T) {
	t.Parallel()
	const readers = 1000
	begin := time.Date(2026, 11, 26, 12, 0, 0, 1, time.UTC)
	beats := make(map[time.Time]int)
	for i := range readers {
		now := begin.Add(time.Duration(i) * time.Millisecond) // one second
		wait := untilHeartbeat(now)
		require.LessOrEqual(t, wait, heartbeatInterval)
		require.Greater(t, wait, heartbeatInterval-heartbeatTick)
		beats[now.Add(wait)]++
	}
	require.LessOrEqual(t, len(beats), int(time.Second/heartbeatTick)+1)
}

// flushes counts how often a response is flushed.
type flushes struct {
	*httptest.ResponseRecorder
	count int
}

func (f *flushes) FlushError() error                { f.count++; return nil }
func (f *flushes) SetWriteDeadline(time.Time) error { return nil }

func TestFramesThatAreThereAreSentTogether(t *testing.T) {
	t.Parallel()
	w := &flushes{ResponseRecorder: httptest.NewRecorder()}
	s := newEventStream(w)
	for range 3 {
		require.NoError(t, s.add([]byte("data: 1\n\n")))
	}
	require.Zero(t, w.count)
	require.NoError(t, s.flush())
	require.NoError(t, s.flush())
	require.NoError(t, s.write(nil))
	require.Equal(t, 1, w.count)
	require.NoError(t, s.write([]byte(": keep-alive\n\n")))
	require.Equal(t, 2, w.count)
}

func TestAPanicOnAFreshStackIsTheCallers(t *testing.T) {
	t.Parallel()
	defer func() { require.Contains(t, recover(), "a fault\ngoroutine ") }()
	_ = onFreshStack(func() error { panic("a fault") })
}
