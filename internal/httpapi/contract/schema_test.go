package contract

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
)

// A format must refuse what its pattern refuses, because the pattern is not checked. White space that only the format
// knows is the one difference.
func TestFormatsImplyTheirPatterns(t *testing.T) {
	t.Parallel()
	checks := map[string]func(string) error{formatSingleLine: checkSingleLine, formatText: checkText, formatUUID: checkUUID}
	require.Len(t, impliedPatterns, len(checks))
	characters := []rune("ab09-- \t\n\v\f\r\x00\x07\x0e\x1b\x1f\x7f\u0080\u0084\u0085\u0086\u009f\u00a0\u2028\u202e\u2066é語")
	const id = "0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22"
	random := rand.New(rand.NewPCG(1, 2))
	for format, check := range checks {
		pattern := regexp.MustCompile(impliedPatterns[format])
		accepted := 0
		for i := range 20_000 {
			var b strings.Builder
			for range random.IntN(6) {
				b.WriteRune(characters[random.IntN(len(characters))])
			}
			text := b.String()
			if i%2 == 0 {
				at := random.IntN(len(id))
				text = id[:at] + string("0aFg-é"[random.IntN(6)]) + id[at+random.IntN(2):]
			}
			if check(text) == nil {
				accepted++
				require.Regexp(t, pattern, text, format)
			} else if !strings.ContainsAny(text, "\v\u0085\u00a0\u2028\u202e\u2066") {
				require.NotRegexp(t, pattern, text, format)
			}
		}
		require.Greater(t, accepted, 1000, format)
	}
}

// Every schema of these formats has the pattern that its format implies, so that clients can check it.
func TestImpliedPatternsAreDropped(t *testing.T) {
	t.Parallel()
	doc, err := Read(api.SpecJSON)
	require.NoError(t, err)
	_, err = Compile(doc, nil)
	require.NoError(t, err)
	for name, schema := range doc.Components.Schemas {
		if _, ours := impliedPatterns[schema.Value.Format]; ours {
			require.Empty(t, schema.Value.Pattern, name)
		}
	}
}
