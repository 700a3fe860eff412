package search_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/supportbackend/support/internal/search"
)

func join(segments []search.Segment, begin, end string) string {
	var text strings.Builder
	for _, s := range segments {
		if s.Match {
			s.Text = begin + s.Text + end
		}
		text.WriteString(s.Text)
	}
	return text.String()
}

func TestSnippetHasTheMostMatches(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("and so on ", 60)
	for name, test := range map[string]struct{ marked, want string }{
		"short":       {"An \x01invoice\x02 came.", "An [invoice] came."},
		"no match":    {"Nothing.", "Nothing."},
		"no marks":    {filler, filler[:299] + "…"},
		"in between":  {filler + "the \x01invoice\x02 is " + filler, ""},
		"two matches": {"one \x01invoice\x02 " + filler + "\x01two\x02 \x01invoices\x02", ""},
		"odd marks":   {"\x02a\x01\x01b\x02\x02c\x01", "a[b]c"},
	} {
		got := join(search.Snippet(search.Result{Text: test.marked}), "[", "]")
		if test.want != "" {
			require.Equal(t, test.want, got, name)
		}
		require.LessOrEqual(t, utf8.RuneCountInString(got), 310, name)
	}
	between := join(search.Snippet(search.Result{Text: filler + "the \x01invoice\x02 is " + filler}), "[", "]")
	require.Regexp(t, `^…(and|so|on) .*the \[invoice\] is .* (and|so|on)…$`, between)
	two := join(search.Snippet(search.Result{Text: "one \x01invoice\x02 " + filler + "\x01two\x02 \x01invoices\x02"}), "[", "]")
	require.Regexp(t, `^….*\[two\] \[invoices\]$`, two)
}

func TestSegmentsEqualTheText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		marked := rapid.StringOfN(rapid.RuneFrom([]rune("ab \n<&é\U0001F44B\x01\x02")), 0, 700, -1).Draw(r, "marked")
		plain := strings.NewReplacer("\x01", "", "\x02", "").Replace(marked)
		require.Equal(r, plain, join(search.TitleSegments(search.Result{Title: marked}), "", ""))
		snippet := search.Snippet(search.Result{Text: marked})
		text := join(snippet, "", "")
		require.Contains(r, plain, strings.Trim(text, "…"))
		require.LessOrEqual(r, utf8.RuneCountInString(text), 302)
		require.GreaterOrEqual(r, utf8.RuneCountInString(text), min(utf8.RuneCountInString(plain), 230))
		for _, s := range snippet {
			require.NotEmpty(r, s.Text)
		}
	})
}
