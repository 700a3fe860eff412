package password_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/password"
)

func TestListOfCommonPasswordsIsSorted(t *testing.T) {
	t.Parallel()
	list := password.CommonPasswords()
	require.GreaterOrEqual(t, len(list), 3000)
	require.True(t, slices.IsSorted(list))
	require.Len(t, slices.Compact(slices.Clone(list)), len(list), "the list has duplicates")
	for _, common := range list {
		require.Equal(t, strings.ToLower(common), common)
		require.Equal(t, strings.TrimSpace(common), common)
		require.GreaterOrEqual(t, utf8.RuneCountInString(common), 8, "shorter ones are refused anyway: %s", common)
	}
	require.Subset(t, list, []string{"password", "12345678", "qwertyuiop", "iloveyou", list[0], list[len(list)-1]})
}

func TestCommonPasswordsMatchInAnyCase(t *testing.T) {
	t.Parallel()
	for _, common := range password.CommonPasswords() {
		for _, spelling := range []string{common, strings.ToUpper(common), strings.ToUpper(common[:1]) + common[1:]} {
			require.True(t, password.IsWeak(spelling), spelling)
		}
		require.False(t, password.IsWeak(common+" "+common), common)
	}
}

func TestPatternsAreWeak(t *testing.T) {
	t.Parallel()
	for _, weak := range []string{
		"aaaaaaaa", "ÄÄÄÄÄÄÄÄ", "🐟🐟🐟🐟🐟🐟🐟🐟", strings.Repeat("x", 128), "        ",
		"abababab", "abcabcabc", "hahahahah", "12341234", "Qwe!qwe!qwe",
		"abcdefgh", "ABCDEFGH", "hgfedcba", "vwxyzabc", "12345678", "1234567890123456", "9876543210", "01234567", "34567890",
		"qwertyuiop", "asdfghjkl", "poiuytrewq", "lkjhgfdsa", "qwertzui", "azertyuiop", "1qaz2wsx3edc",
	} {
		require.True(t, password.IsWeak(weak), weak)
	}
	for _, strong := range []string{
		"correct horse battery", "abcdefgh!", "aaaaaaaab", "13579246", "abcde12345x", "qwertyuiop7", "0123456788",
		"abcdeabcde", "Passwort für Ada",
	} {
		require.False(t, password.IsWeak(strong), strong)
	}
}
