package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// hold takes a connection of the store until release is called.
func hold(t *testing.T, s *store.Store) (release func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	held, released := make(chan struct{}), make(chan error, 1)
	go func() {
		released <- s.InTx(ctx, func(context.Context) error {
			close(held)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	select {
	case <-held:
	case err := <-released:
		require.NoError(t, err, "no connection to hold")
	}
	release = func() {
		cancel()
		if err := <-released; !errors.Is(err, context.Canceled) {
			t.Errorf("the connection was not held: %v", err)
		}
		released <- context.Canceled
	}
	t.Cleanup(release)
	return release
}

func openLazy(t *testing.T, openAfter time.Duration) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: storetest.NewURL(t), MaxConns: 4, Lazy: true})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	store.SetOpenAfter(s, openAfter)
	return s
}

func TestBurstSharesConnectionsRatherThanOpenThem(t *testing.T) {
	t.Parallel()
	s := openLazy(t, time.Hour)
	release := hold(t, s)
	const callers = 8
	results := make(chan error, callers)
	for range callers {
		go func() {
			_, err := s.GetSchemaMigration(t.Context())
			results <- err
		}()
	}
	require.Eventually(t, func() bool { return store.Waiting(s) == callers }, patience, time.Millisecond)
	require.Zero(t, s.PoolStats().Waits, "they still wait")
	release()
	for range callers {
		require.NoError(t, <-results)
	}
	stats := s.PoolStats()
	require.Equal(t, int32(1), stats.Acquired+stats.Idle)
	require.Equal(t, int64(callers), stats.Waits)
	require.Positive(t, stats.Waited)
}

func TestLongWaitOpensAConnection(t *testing.T) {
	t.Parallel()
	s := openLazy(t, time.Millisecond)
	hold(t, s)
	hold(t, s)
	require.NoError(t, s.Ready(t.Context()))
	stats := s.PoolStats()
	require.Equal(t, int32(3), stats.Acquired+stats.Idle)
}

func TestConnectionForACallerWhoHasLeftIsForOthers(t *testing.T) {
	t.Parallel()
	s := openLazy(t, time.Nanosecond)
	release := hold(t, s)
	// Some callers get the held connection, and some leave, while others are opened for them.
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := s.GetSchemaMigration(ctx)
			left <- err
		}()
		cancel()
		if err := <-left; err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
	}
	release()
	require.Eventually(t, func() bool { return s.PoolStats().Acquired == 0 }, patience, time.Millisecond)
	require.NoError(t, s.Ready(t.Context()))
}
