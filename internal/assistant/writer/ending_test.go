package writer

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// What fails because the response is lost is no failure of its own: the log would show it as an error.
func TestOwnersThatAreDisplacedWhileTheyEndAreLost(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s := storetest.Open(t, url)
	owners := newOwners(t, s, url, uuid.New(), 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errLost)
	e := ending{store: s, roster: newRoster(1)}
	require.ErrorIs(t, e.giveUp(ctx, owners[0], answer{}, context.Canceled), errLost)
}
