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

const (
	plain     = "correct horse battery"
	somewhere = "192.0.2.0/24"
)

// cost is a server's cost.
var cost = password.Cost{Memory: 19456, Passes: 2, Lanes: 1}

func newHasher() *password.Hasher { return password.NewHasher(cost) }

func TestHashesAreSaltedAndHaveTheCurrentCost(t *testing.T) {
	t.Parallel()
	h := newHasher()
	first, err := h.Hash(t.Context(), somewhere, plain)
	require.NoError(t, err)
	second, err := h.Hash(t.Context(), somewhere, plain)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	for _, phc := range []string{first, second, h.Dummy()} {
		require.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, phc)
	}
	ok, outdated, err := h.Verify(t.Context(), somewhere, plain, first)
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
		ok, outdated, err := h.Verify(t.Context(), somewhere, given, phc)
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
		errs, networks := make([]error, password.MaxWaiting), []string{somewhere, "198.51.100.0/24"}
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, errs[i] = h.Hash(t.Context(), networks[i%2], plain) })
		}
		synctest.Wait()

		_, err := h.Hash(t.Context(), "203.0.113.0/24", plain)
		requireBusy(t, err)
		require.Zero(t, time.Since(begin), "the caller did not wait")

		wg.Wait()
		require.Equal(t, password.MaxWait, time.Since(begin))
		for _, err := range errs {
			requireBusy(t, err)
		}
		release()
		_, err = h.Hash(t.Context(), somewhere, plain)
		require.NoError(t, err, "the slots are free again")
	})
}

func TestNetworkHasAShareOfTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher()
		release := password.OccupySlots(h)
		greedy := make([]error, 3*password.MaxWaiting)
		var crowd, other sync.WaitGroup
		for i := range greedy {
			crowd.Go(func() { _, greedy[i] = h.Hash(t.Context(), somewhere, plain) })
		}
		synctest.Wait()
		var err error
		other.Go(func() { _, err = h.Hash(t.Context(), "198.51.100.0/24", plain) })
		synctest.Wait()
		release()
		other.Wait()
		require.NoError(t, err, "another network still gets a slot")
		crowd.Wait()
		refused := 0
		for _, err := range greedy {
			if err != nil {
				requireBusy(t, err)
				refused++
			}
		}
		require.Equal(t, len(greedy)-password.MaxWaitingOfNetwork, refused)
		require.Zero(t, password.Queued(h))
	})
}

// Keyboards send an accented letter as one character or as two.
func TestPasswordIsTheSameComposedAndDecomposed(t *testing.T) {
	t.Parallel()
	h := password.NewHasher(password.Cost{Memory: 32, Passes: 1, Lanes: 1})
	for _, spellings := range [][2]string{{"caf\u00e9 cr\u00e8me", "cafe\u0301 cre\u0300me"}, {"\u212bngstr\u00f6m", "A\u030angstro\u0308m"}} {
		for i := range 2 {
			phc, err := h.Hash(t.Context(), somewhere, spellings[i])
			require.NoError(t, err)
			ok, _, err := h.Verify(t.Context(), somewhere, spellings[1-i], phc)
			require.NoError(t, err)
			require.True(t, ok)
		}
	}
}

func TestWaitingCallerGetsASlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher()
		release := password.OccupySlots(h)
		var phc string
		var err error
		var wg sync.WaitGroup
		wg.Go(func() { phc, err = h.Hash(t.Context(), somewhere, plain) })
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
			wg.Go(func() { _, err = h.Hash(ctx, somewhere, plain) })
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
