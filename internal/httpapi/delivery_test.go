package httpapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestJSONIsNotEscapedForHTML(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune(`\u003ceE&<>"0/`+"\n\u2028é🔑"))).Draw(t, "text")
		escaped, err := json.Marshal(text)
		require.NoError(t, err)
		size := len(escaped)
		plain := unescapeHTML(escaped)
		var back string
		require.NoError(t, json.Unmarshal(plain, &back))
		require.Equal(t, text, back)
		require.Len(t, plain, size-5*(strings.Count(text, "<")+strings.Count(text, ">")+strings.Count(text, "&")))
	})
}
