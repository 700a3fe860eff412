package app

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGarbageIsBounded(t *testing.T) {
	t.Parallel()
	for kept, percent := range map[uint64]int{0: 400, 10 << 20: 400, 24 << 20: 200, 48 << 20: 100, 96 << 20: 50, 192 << 20: 25, 4 << 30: 20} {
		require.Equal(t, percent, gcPercent(kept), "%d bytes", kept)
	}
}
