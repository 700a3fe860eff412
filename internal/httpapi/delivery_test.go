package httpapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/internal/apperr"
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

func TestUnreadBytesAreLimited(t *testing.T) {
	t.Parallel()
	var d deliveries
	var err error
	for i := byte(0); err == nil; i++ {
		_, err = d.hold(caller{user: uuid.UUID{i}}, 1<<20)
	}
	require.LessOrEqual(t, d.total, 64<<20)
	require.Greater(t, d.total, 60<<20)
	require.True(t, apperr.Is(err, apperr.ServerBusy), "%v", err)
}
