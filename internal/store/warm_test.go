package store_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestWarmUpPlansStatementsOnEveryConnection(t *testing.T) {
	t.Parallel()
	plan := func(ctx context.Context, q sqlc.Querier) { _, _ = q.FindTurn(ctx, sqlc.FindTurnParams{}) }
	planned := func(s *store.Store) (n int) {
		require.NoError(t, store.QueryRow(t.Context(), s, `
			SELECT coalesce(sum(generic_plans), 0) FROM pg_prepared_statements WHERE statement LIKE '-- name: FindTurn %'`,
		).Scan(&n))
		return n
	}
	for _, lazy := range []bool{false, true} {
		url := storetest.NewURL(t)
		s, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 1, Lazy: lazy})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		require.Zero(t, planned(s))
		s.WarmUp(t.Context(), plan)
		if lazy {
			require.Zero(t, planned(s))
			continue
		}
		require.Equal(t, 1, planned(s))
		storetest.Exec(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'support'`)
		require.NoError(t, s.Ready(t.Context()))
		require.Equal(t, 1, planned(s), "on a new connection")
		mode, err := store.Setting(t.Context(), s, "plan_cache_mode")
		require.NoError(t, err)
		require.Equal(t, "auto", mode)
	}
}

func TestWarmUpOpensConnectionsForTheFirstBurst(t *testing.T) {
	t.Parallel()
	for maxConns, want := range map[int32]int{1: 1, 2: 2, 3: 2, 10: 4} {
		url := storetest.NewURL(t)
		s, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: maxConns})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		for range 2 {
			s.WarmUp(t.Context(), func(context.Context, sqlc.Querier) {})
		}
		open := storetest.QueryInt(t, url, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'support'`)
		require.GreaterOrEqual(t, open, want)
		require.LessOrEqual(t, open, int(maxConns))
	}
}

func TestWarmUpWarmsAllIdleConnections(t *testing.T) {
	t.Parallel()
	const count = 4
	s, err := store.Open(t.Context(), store.Config{URL: storetest.NewURL(t), MaxConns: 10})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	var using, ended sync.WaitGroup
	using.Add(count)
	for range count {
		ended.Go(func() {
			_ = s.InTx(t.Context(), func(ctx context.Context) error {
				_, err := s.GetDatabaseServer(ctx)
				using.Done()
				using.Wait()
				return err
			})
		})
	}
	ended.Wait()
	var warmed atomic.Int32
	s.WarmUp(t.Context(), func(context.Context, sqlc.Querier) { warmed.Add(1) })
	require.GreaterOrEqual(t, warmed.Load(), int32(count))
}
