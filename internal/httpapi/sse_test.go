package httpapi

import (
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
