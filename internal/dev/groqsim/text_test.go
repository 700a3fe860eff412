package groqsim

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestTokensJoinToTheText(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"Hello", " world", ",", " ", " interna", "tionaliz", "ation", "!", "\n"}, tokenize("Hello world,  internationalization!\n"))
	for _, text := range []string{"", " ", "a", "  a", "😀😀", "日本語", "a\xffb", "e\u0301", "don't"} {
		require.Equal(t, text, strings.Join(tokenize(text), ""))
	}
}

func TestFirstWordsAreCutSafely(t *testing.T) {
	t.Parallel()
	require.Empty(t, firstWords(""))
	require.Empty(t, firstWords("\x00<>\n\n!"))
	require.Equal(t, "event done data x", firstWords("\n\nevent: done\ndata: {x}"))
	require.Empty(t, firstWords(strings.Repeat("日", 1000)))
	require.True(t, utf8.ValidString(firstWords("a\xff b")))
}

func TestAnswersOfEverySeedHaveTheRightLength(t *testing.T) {
	t.Parallel()
	for seed := range int64(200) {
		for _, message := range []string{"", "my printer does not print at all"} {
			words := len(strings.Fields(supportAnswer(message, seed)))
			require.True(t, words >= 60 && words <= 120, "%d words", words)
		}
	}
}

func TestSurrogatesAreSplit(t *testing.T) {
	t.Parallel()
	join := func(literals []json.RawMessage) string {
		var text strings.Builder
		for _, literal := range literals {
			require.True(t, json.Valid(literal))
			text.WriteString(strings.Trim(string(literal), `"`))
		}
		return text.String()
	}
	require.Equal(t, `a\ud83d\ude00b\ud83d\ude80`, join(contentLiterals("a😀b🚀", true)))
	require.Equal(t, "plain", join(contentLiterals("plain", true)))
	require.Equal(t, []json.RawMessage{json.RawMessage(`""`)}, contentLiterals("", true))
	require.Equal(t, []json.RawMessage{json.RawMessage(`"😀"`)}, contentLiterals("😀", false))
}
