package password_test

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/password"
)

const plain = "correct horse battery"

func newHasher() *password.Hasher { return password.NewHasher(password.DefaultCost) }

func TestHashesAreSaltedAndOfTheCurrentCost(t *testing.T) {
	t.Parallel()
	h := newHasher()
	first, err := h.Hash(t.Context(), plain)
	require.NoError(t, err)
	second, err := h.Hash(t.Context(), plain)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	for _, phc := range []string{first, second, h.Dummy()} {
		require.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, phc)
	}
	ok, outdated, err := h.Verify(t.Context(), plain, first)
	require.NoError(t, err)
	require.True(t, ok)
	require.False(t, outdated)
}

func TestHashIsArgon2idOfTheWholePassword(t *testing.T) {
	t.Parallel()
	h := newHasher()
	long := strings.Repeat("𝛑", 128)
	salt, err := base64.RawStdEncoding.DecodeString(salt16)
	require.NoError(t, err)
	phc := password.PHC{Memory: 64, Time: 1, Lanes: 2, Salt: salt, Key: argon2.IDKey([]byte(long), salt, 1, 64, 2, 32)}.String()
	for given, want := range map[string]bool{long: true, long + "x": false, long[:len(long)-1]: false, "": false} {
		ok, outdated, err := h.Verify(t.Context(), given, phc)
		require.NoError(t, err)
		require.Equal(t, want, ok, "%d bytes", len(given))
		require.True(t, outdated)
	}
}

func TestQueueForHashesIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher()
		release := password.OccupySlots(h)
		begin := time.Now()
		errs := make([]error, password.MaxWaiting)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, errs[i] = h.Hash(t.Context(), plain) })
		}
		synctest.Wait()

		_, err := h.Hash(t.Context(), plain)
		requireBusy(t, err)
		require.Zero(t, time.Since(begin), "there is no place to wait at")

		wg.Wait()
		require.Equal(t, password.MaxWait, time.Since(begin))
		for _, err := range errs {
			requireBusy(t, err)
		}
		release()
		_, err = h.Hash(t.Context(), plain)
		require.NoError(t, err, "the places are free again")
	})
}

func TestHashIsComputedWhenItsTurnComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher()
		release := password.OccupySlots(h)
		var phc string
		var err error
		var wg sync.WaitGroup
		wg.Go(func() { phc, err = h.Hash(t.Context(), plain) })
		synctest.Wait()
		require.Empty(t, phc)
		release()
		wg.Wait()
		require.NoError(t, err)
		require.NotEmpty(t, phc)
	})
}

func TestCallerThatLeavesFreesItsPlaceInTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher()
		defer password.OccupySlots(h)()
		for range 3 * password.MaxWaiting {
			ctx, cancel := context.WithCancel(t.Context())
			var err error
			var wg sync.WaitGroup
			wg.Go(func() { _, err = h.Hash(ctx, plain) })
			synctest.Wait()
			cancel()
			wg.Wait()
			require.ErrorIs(t, err, context.Canceled)
		}
	})
}

func requireBusy(t *testing.T, err error) {
	t.Helper()
	require.True(t, apperr.Is(err, apperr.ServerBusy), "%v", err)
	require.Equal(t, time.Second, apperr.From(err).RetryAfter)
}
