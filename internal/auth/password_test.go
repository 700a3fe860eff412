package auth_test

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

const (
	salt16 = "MDEyMzQ1Njc4OWFiY2RlZg"
	key32  = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
)

// invalidHashes are no hashes of ours, by what is wrong with them.
func invalidHashes() map[string]string {
	rest := "$" + salt16 + "$" + key32
	return map[string]string{
		"empty":                "",
		"bcrypt":               "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"argon2i":              "$argon2i$v=19$m=19456,t=2,p=1" + rest,
		"upper case":           "$ARGON2ID$v=19$m=19456,t=2,p=1" + rest,
		"other version":        "$argon2id$v=16$m=19456,t=2,p=1" + rest,
		"no version":           "$argon2id$m=19456,t=2,p=1" + rest,
		"text before":          "x$argon2id$v=19$m=19456,t=2,p=1" + rest,
		"text after":           "$argon2id$v=19$m=19456,t=2,p=1" + rest + "$",
		"no key":               "$argon2id$v=19$m=19456,t=2,p=1$" + salt16,
		"empty key":            "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$",
		"key of 15 bytes":      "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$MDEyMzQ1Njc4OWFiY2Rl",
		"key of 65 bytes":      "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + strings.Repeat("MDEy", 21) + "MDE",
		"empty salt":           "$argon2id$v=19$m=19456,t=2,p=1$$" + key32,
		"salt of 7 bytes":      "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Ng$" + key32,
		"padded salt":          "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "==$" + key32,
		"base64 for URLs":      "$argon2id$v=19$m=19456,t=2,p=1$" + "_-EyMzQ1Njc4OWFiY2RlZg$" + key32,
		"slack bits":           "$argon2id$v=19$m=19456,t=2,p=1$" + salt16[:21] + "h$" + key32,
		"line break in a key":  "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32[:20] + "\n" + key32[20:],
		"no passes":            "$argon2id$v=19$m=19456,t=0,p=1" + rest,
		"no lanes":             "$argon2id$v=19$m=19456,t=2,p=0" + rest,
		"256 lanes":            "$argon2id$v=19$m=19456,t=2,p=256" + rest,
		"memory over 1 GiB":    "$argon2id$v=19$m=1048577,t=2,p=1" + rest,
		"memory over 32 bits":  "$argon2id$v=19$m=4294967296,t=2,p=1" + rest,
		"negative memory":      "$argon2id$v=19$m=-1,t=2,p=1" + rest,
		"hexadecimal memory":   "$argon2id$v=19$m=0x4c00,t=2,p=1" + rest,
		"leading zero":         "$argon2id$v=19$m=019456,t=2,p=1" + rest,
		"space":                "$argon2id$v=19$m= 19456,t=2,p=1" + rest,
		"parameter too many":   "$argon2id$v=19$m=19456,t=2,p=1,keyid=x" + rest,
		"garbage after lanes":  "$argon2id$v=19$m=19456,t=2,p=1x" + rest,
		"parameters reordered": "$argon2id$v=19$t=2,m=19456,p=1" + rest,
	}
}

func TestStoredHashIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	phc := "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32
	hash, err := auth.ParsePHC(phc)
	require.NoError(t, err)
	require.Equal(t, auth.PHC{
		Memory: 19456, Time: 2, Lanes: 1,
		Salt: []byte("0123456789abcdef"), Key: []byte("0123456789abcdef0123456789abcdef"),
	}, hash)
	require.Equal(t, phc, hash.String())
}

func TestWhatIsNoHashIsRefusedAndNotQuoted(t *testing.T) {
	t.Parallel()
	for name, phc := range invalidHashes() {
		hash, err := auth.ParsePHC(phc)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), key32, name)
		require.Nil(t, hash.Salt, name)
		require.Nil(t, hash.Key, name)
	}
}

func FuzzParsePHC(f *testing.F) {
	for _, phc := range invalidHashes() {
		f.Add(phc)
	}
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32)
	f.Fuzz(func(t *testing.T, phc string) {
		hash, err := auth.ParsePHC(phc)
		if err != nil {
			return
		}
		require.Positive(t, hash.Time)
		require.Positive(t, hash.Lanes)
		require.LessOrEqual(t, hash.Memory, uint32(1<<20))
		require.GreaterOrEqual(t, len(hash.Salt), 8)
		require.GreaterOrEqual(t, len(hash.Key), 16)
		require.LessOrEqual(t, len(hash.Key), 64)
		require.Equal(t, phc, hash.String(), "a hash has one spelling")
	})
}

func TestHashesAreSaltedAndOfTheCurrentCost(t *testing.T) {
	t.Parallel()
	s := newDetachedService(t)
	first, err := auth.HashPassword(t.Context(), s, password)
	require.NoError(t, err)
	second, err := auth.HashPassword(t.Context(), s, password)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	for _, phc := range []string{first, second, auth.DummyHash(s)} {
		require.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, phc)
	}
	ok, outdated, err := auth.VerifyPassword(t.Context(), s, password, first)
	require.NoError(t, err)
	require.True(t, ok)
	require.False(t, outdated)
}

func TestHashIsArgon2idOfTheWholePassword(t *testing.T) {
	t.Parallel()
	s := newDetachedService(t)
	long := strings.Repeat("𝛑", 128)
	salt, err := base64.RawStdEncoding.DecodeString(salt16)
	require.NoError(t, err)
	phc := auth.PHC{Memory: 64, Time: 1, Lanes: 2, Salt: salt, Key: argon2.IDKey([]byte(long), salt, 1, 64, 2, 32)}.String()
	for given, want := range map[string]bool{long: true, long + "x": false, long[:len(long)-1]: false, "": false} {
		ok, outdated, err := auth.VerifyPassword(t.Context(), s, given, phc)
		require.NoError(t, err)
		require.Equal(t, want, ok, "%d bytes", len(given))
		require.True(t, outdated)
	}
}

func TestQueueForHashesIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newDetachedService(t)
		release := auth.OccupyHashSlots(s)
		begin := time.Now()
		errs := make([]error, auth.MaxHashesWaiting)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, errs[i] = auth.HashPassword(t.Context(), s, password) })
		}
		synctest.Wait()

		_, err := s.CreateAccount(t.Context(), "ada@example.com", password, sqlc.UserRoleUser)
		requireBusy(t, err)
		require.Zero(t, time.Since(begin), "there is no place to wait at")

		wg.Wait()
		require.Equal(t, auth.MaxHashWait, time.Since(begin))
		for _, err := range errs {
			requireBusy(t, err)
		}
		release()
		_, err = auth.HashPassword(t.Context(), s, password)
		require.NoError(t, err, "the places are free again")
	})
}

func TestHashIsComputedWhenItsTurnComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newDetachedService(t)
		release := auth.OccupyHashSlots(s)
		var phc string
		var err error
		var wg sync.WaitGroup
		wg.Go(func() { phc, err = auth.HashPassword(t.Context(), s, password) })
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
		s := newDetachedService(t)
		defer auth.OccupyHashSlots(s)()
		for range 3 * auth.MaxHashesWaiting {
			ctx, cancel := context.WithCancel(t.Context())
			var err error
			var wg sync.WaitGroup
			wg.Go(func() { _, err = auth.HashPassword(ctx, s, password) })
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

func TestCommonPasswordsCanBeSearched(t *testing.T) {
	t.Parallel()
	list := auth.CommonPasswords()
	require.GreaterOrEqual(t, len(list), 3000)
	require.True(t, slices.IsSorted(list))
	require.Len(t, slices.Compact(slices.Clone(list)), len(list), "none is there twice")
	for _, password := range list {
		require.Equal(t, strings.ToLower(password), password)
		require.Equal(t, strings.TrimSpace(password), password)
		require.GreaterOrEqual(t, utf8.RuneCountInString(password), 8, "shorter ones are refused anyway: %s", password)
	}
	require.Subset(t, list, []string{"password", "12345678", "qwertyuiop", "iloveyou", list[0], list[len(list)-1]})
}

func TestCommonPasswordIsRefusedBeforeItIsHashed(t *testing.T) {
	t.Parallel()
	s := newDetachedService(t)
	hashes := auth.CountHashes(s, func() {
		for _, weak := range auth.CommonPasswords() {
			for _, password := range []string{weak, strings.ToUpper(weak), strings.ToUpper(weak[:1]) + weak[1:]} {
				_, err := s.CreateAccount(t.Context(), "ada@example.com", password, sqlc.UserRoleUser)
				require.True(t, apperr.Is(err, apperr.WeakPassword), "%s: %v", password, err)
				require.Equal(t, []apperr.Field{{Pointer: "/password", Code: apperr.NotAllowed}}, apperr.From(err).Fields)
			}
		}
	})
	require.Zero(t, hashes)
}

func TestPasswordsAreMeasuredInCharacters(t *testing.T) {
	t.Parallel()
	s := newDetachedService(t)
	for password, want := range map[string]apperr.FieldCode{
		"":                        apperr.TooShort,
		"seven 7":                 apperr.TooShort,
		strings.Repeat("🔑", 7):    apperr.TooShort,
		strings.Repeat("x", 129):  apperr.TooLong,
		strings.Repeat("🔑", 129):  apperr.TooLong,
		strings.Repeat("x", 1e6):  apperr.TooLong,
		strings.Repeat("\xff", 7): apperr.TooShort,
	} {
		hashes := auth.CountHashes(s, func() {
			_, err := s.CreateAccount(t.Context(), "ada@example.com", password, sqlc.UserRoleUser)
			require.True(t, apperr.Is(err, apperr.ValidationFailed), "%v", err)
			require.Equal(t, []apperr.Field{{Pointer: "/password", Code: want}}, apperr.From(err).Fields)
		})
		require.Zero(t, hashes)
	}
}
