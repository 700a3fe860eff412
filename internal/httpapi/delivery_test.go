package httpapi

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
)

func TestUnreadBytesAreLimited(t *testing.T) {
	t.Parallel()
	var d deliveries
	var err error
	for i := byte(0); err == nil; i++ {
		_, err = d.hold(caller{user: uuid.UUID{i}}, 1<<20)
	}
	require.LessOrEqual(t, d.total, 64<<20)
	require.Greater(t, d.total, 60<<20)
	require.True(t, apperr.Is(err, apperr.ServerBusy), "%v", err)
}
