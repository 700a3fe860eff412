package password_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/password"
)

func TestCommonPasswordsCanBeSearched(t *testing.T) {
	t.Parallel()
	list := password.CommonPasswords()
	require.GreaterOrEqual(t, len(list), 3000)
	require.True(t, slices.IsSorted(list))
	require.Len(t, slices.Compact(slices.Clone(list)), len(list), "none is there twice")
	for _, common := range list {
		require.Equal(t, strings.ToLower(common), common)
		require.Equal(t, strings.TrimSpace(common), common)
		require.GreaterOrEqual(t, utf8.RuneCountInString(common), 8, "shorter ones are refused anyway: %s", common)
	}
	require.Subset(t, list, []string{"password", "12345678", "qwertyuiop", "iloveyou", list[0], list[len(list)-1]})
}

func TestCommonPasswordsAreKnownInAnyCase(t *testing.T) {
	t.Parallel()
	for _, common := range password.CommonPasswords() {
		for _, spelling := range []string{common, strings.ToUpper(common), strings.ToUpper(common[:1]) + common[1:]} {
			require.True(t, password.IsCommon(spelling), spelling)
		}
		require.False(t, password.IsCommon(common+" "+common), common)
	}
}
