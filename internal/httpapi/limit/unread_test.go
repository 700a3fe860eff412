package limit

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
)

func TestUnreadBytesAreLimited(t *testing.T) {
	t.Parallel()
	var u Unread
	var err error
	for i := byte(0); err == nil; i++ {
		_, err = u.Hold(Caller{User: uuid.UUID{i}}, 1<<20)
	}
	require.LessOrEqual(t, u.total, 64<<20)
	require.Greater(t, u.total, 60<<20)
	require.True(t, apperr.Is(err, apperr.ServerBusy), "%v", err)
}
