package account_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/apperr"
)

func TestCommonPasswordIsRefusedBeforeItIsHashed(t *testing.T) {
	t.Parallel()
	s := newDetachedService(t)
	hashes := account.CountHashes(s, func() {
		for _, weak := range []string{"password", "PASSWORD", "iLoveYou", "12345678"} {
			_, err := s.Create(t.Context(), nil, account.NewAccount{Email: "ada@example.com", Password: weak, Role: sqlc.UserRoleUser})
			require.True(t, apperr.Is(err, apperr.WeakPassword), "%s: %v", weak, err)
			require.Equal(t, []apperr.Field{{Pointer: "/password", Code: apperr.NotAllowed}}, apperr.From(err).Fields)
		}
	})
	require.Zero(t, hashes)
}

func TestPasswordLengthCountsCharacters(t *testing.T) {
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
		hashes := account.CountHashes(s, func() {
			_, err := s.Create(t.Context(), nil, account.NewAccount{Email: "ada@example.com", Password: password, Role: sqlc.UserRoleUser})
			require.True(t, apperr.Is(err, apperr.ValidationFailed), "%v", err)
			require.Equal(t, []apperr.Field{{Pointer: "/password", Code: want}}, apperr.From(err).Fields)
		})
		require.Zero(t, hashes)
	}
}
