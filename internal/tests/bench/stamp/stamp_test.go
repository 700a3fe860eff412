package stamp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNextStampInPieces(t *testing.T) {
	t.Parallel()
	_, rest, ok := Next([]byte(`{"content":"~0012`))
	require.False(t, ok)
	stamp, rest, ok := Next(append(rest, `34~000005"}`...))
	require.True(t, ok)
	require.Equal(t, 1234, stamp)
	stamp, rest, ok = Next(rest)
	require.True(t, ok)
	require.Equal(t, 5, stamp)
	require.Equal(t, `"}`, string(rest))
}

func TestStampsWrapAround(t *testing.T) {
	t.Parallel()
	c := Clock{begin: time.Now()}
	require.Less(t, c.Since(span-1), time.Minute)
	require.GreaterOrEqual(t, c.Since(span-1), time.Duration(0))
}
