package store_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestTooLargePoolCausesAWarning(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	limit, err := strconv.Atoi(storetest.QueryText(t, url, "SHOW max_connections"))
	require.NoError(t, err)
	for _, c := range []struct {
		conns int
		warns bool
	}{{1, false}, {limit - 7, false}, {limit - 6, true}, {limit * 2, true}} {
		s, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: int32(c.conns)})
		require.NoError(t, err)
		warning, err := s.CheckBudget(t.Context())
		s.Close()
		require.NoError(t, err)
		require.Equal(t, c.warns, warning != "", "%d connections of %d: %s", c.conns, limit, warning)
		if c.warns {
			require.Contains(t, warning, "SUPPORT_DB_MAX_CONNS")
		}
	}
}
