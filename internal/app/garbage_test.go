package app

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGarbageIsBounded(t *testing.T) {
	t.Parallel()
	for kept, percent := range map[uint64]int{0: 400, 10 << 20: 400, 24 << 20: 200, 48 << 20: 100, 96 << 20: 50, 192 << 20: 25, 4 << 30: 20} {
		require.Equal(t, percent, gcPercent(kept), "%d bytes", kept)
	}
}

func TestCollectionIsDeferredDuringAStart(t *testing.T) { //nolint:paralleltest // The settings are the process's.
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	defer debug.SetGCPercent(percent)
	DeferCollection()
	require.EqualValues(t, startMemory, debug.SetMemoryLimit(-1), "a start that needs more does collect")
	require.Equal(t, -1, debug.SetGCPercent(-1))
	require.Eventually(t, func() bool { return debug.SetMemoryLimit(-1) == limit }, 10*starting, time.Millisecond)
}
