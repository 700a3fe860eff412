package httpapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
)

// Replacements of EventSource cannot send the header.
func TestEventStreamResumesFromTheHeaderOrTheQuery(t *testing.T) {
	t.Parallel()
	for want, params := range map[int64]api.StreamEventsParams{
		1: {After: new(int64(1))},
		2: {After: new(int64(1)), LastPositionInQuery: "2"},
		3: {After: new(int64(1)), LastPositionInQuery: "2", LastEventID: "3"},
		4: {After: new(int64(4)), LastPositionInQuery: "of another stream"},
	} {
		_, after := fromStreamEventsParams(params)
		require.Equal(t, want, *after)
	}
}
