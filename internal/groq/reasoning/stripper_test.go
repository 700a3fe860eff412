package reasoning

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// inlineForms are the forms of reasoning in a model's text, and the text without it.
var inlineForms = map[string]struct{ text, want string }{
	"none":                      {"Hello", "Hello"},
	"think":                     {"<think>secret</think>Hello", "Hello"},
	"white space around it":     {"\n <think>\nsecret\n</think>\n\nHello\n", "Hello\n"},
	"thinking":                  {"<thinking>secret</thinking>Hello", "Hello"},
	"capitals":                  {"<THINK>secret</Think>Hello", "Hello"},
	"square brackets":           {"[THINK]secret[/THINK]Hello", "Hello"},
	"two blocks":                {"<think>secret</think>\n<think>secret</think>Hello", "Hello"},
	"nested":                    {"<think>secret <think> secret</think>Hello", "Hello"},
	"empty":                     {"<think>\n\n</think>\n\nHello", "Hello"},
	"never closed":              {"<think>secret", ""},
	"cut within the tag":        {"<think>secret</thi", ""},
	"only reasoning":            {"<think>secret</think>", ""},
	"later on":                  {"Type <think>x</think>.", "Type <think>x</think>."},
	"lone angle":                {"<3 you", "<3 you"},
	"another tag":               {"<thistle>a</thistle>", "<thistle>a</thistle>"},
	"quoted after reasoning":    {"<think>secret</think>Say <think>.", "Say <think>."},
	"harmony":                   {"<|channel|>analysis<|message|>secret<|end|><|start|>assistant<|channel|>final<|message|>Hello<|return|>", "Hello"},
	"harmony with commentary":   {"<|channel|>analysis<|message|>secret<|end|><|start|>assistant<|channel|>commentary<|message|>secret<|end|><|start|>assistant<|channel|>final<|message|>Hello", "Hello"},
	"harmony without ends":      {"<|channel|>analysis<|message|>secret<|channel|>final<|message|>Hello", "Hello"},
	"harmony from the start":    {"<|start|>assistant<|channel|>analysis<|message|>secret<|end|><|start|>assistant<|channel|>final<|message|>Hello", "Hello"},
	"harmony's answer alone":    {"<|channel|>final<|message|>Hello < you<|return|>", "Hello < you"},
	"harmony without a final":   {"<|channel|>analysis<|message|>secret", ""},
	"harmony cut in a header":   {"<|channel|>analysis<|message|>secret<|end|><|start|>assist", ""},
	"harmony, plain at last":    {"<|channel|>analysis<|message|>secret<|end|>Hello", "Hello"},
	"harmony, endless header":   {"<|channel|>secret" + strings.Repeat(" secret", 100), ""},
	"kimi":                      {"◁think▷secret◁/think▷Hello", "Hello"},
	"begins like kimi":          {"◁ is a triangle", "◁ is a triangle"},
	"white space and no answer": {"  \n", ""},
}

// strip passes the text through a Stripper in pieces made by cut.
func strip(s *Stripper, text string, whole bool, cut func(rest string) int) string {
	var out strings.Builder
	for text != "" {
		n := cut(text)
		for !utf8.RuneStart((text + "x")[n]) {
			n++
		}
		out.WriteString(s.Push(text[:n]))
		text = text[n:]
	}
	out.WriteString(s.Flush(whole))
	return out.String()
}

func atOnce(rest string) int { return len(rest) }

func oneByOne(string) int { return 1 }

func TestReasoningIsStripped(t *testing.T) {
	t.Parallel()
	for name, c := range inlineForms {
		for _, whole := range []bool{true, false} {
			require.Equal(t, c.want, strip(&Stripper{}, c.text, whole, atOnce), name)
			require.Equal(t, c.want, strip(&Stripper{}, c.text, whole, oneByOne), name)
			waits := Stripper{suspect: true, waits: true, maxKept: 1 << 20}
			require.Equal(t, c.want, strip(&waits, c.text, whole, oneByOne), name)
		}
	}
	require.Empty(t, strip(&Stripper{}, "<thi", false, atOnce), "the limit has cut a tag")
	require.Equal(t, "<", strip(&Stripper{}, "<", true, atOnce))
}

func TestReasoningWithoutItsOpeningTag(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, want string
		always     bool
		whole      bool
	}{
		"closing tag":              {"\nsecret\n</think>\n\nHello", "Hello", false, true},
		"two of them":              {"secret</think><think>secret</think>Hello", "Hello", false, true},
		"none":                     {"Hello", "Hello", false, true},
		"a pair in the answer":     {"Hello <think>x</think>", "Hello <think>x</think>", false, true},
		"cut, and nothing known":   {"Hello", "Hello", false, false},
		"cut, and known to think":  {"secret", "", true, false},
		"known, but did not think": {"Hello", "Hello", true, true},
	} {
		for _, cut := range []func(string) int{atOnce, oneByOne} {
			s := Stripper{suspect: true, waits: true, always: c.always, maxKept: 1 << 20}
			require.Equal(t, c.want, strip(&s, c.text, c.whole, cut), name)
			require.Equal(t, strings.Contains(name, "closing") || strings.Contains(name, "two"), s.lone, name)
		}
	}
	s := Stripper{suspect: true}
	require.Equal(t, "Hello ", s.Push("Hello "))
	s.Push("</th")
	s.Push("ink>")
	require.True(t, s.Leaked, "the text so far was reasoning")
}

// TestStrippingDoesNotDependOnThePieces cuts texts made of markers and words at random.
func TestStrippingDoesNotDependOnThePieces(t *testing.T) {
	t.Parallel()
	parts := append([]string{" ", "\n", "Hello", "<", "<|", "thi", "◁", "é😀", "final", "analysis", "</think>", "</thinking>", "[/THINK]", harmonyMessage}, openers...)
	parts = append(parts, harmonyEnds...)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 12).Draw(t, "parts"), "")
		ended := rapid.Bool().Draw(t, "ended")
		model := Stripper{
			suspect: rapid.Bool().Draw(t, "suspect"), waits: rapid.Bool().Draw(t, "waits"), always: rapid.Bool().Draw(t, "always"),
			maxKept: 1 << 20,
		}
		whole, pieces := model, model
		want := strip(&whole, text, ended, atOnce)
		got := strip(&pieces, text, ended, func(rest string) int { return rapid.IntRange(1, len(rest)).Draw(t, "cut") })
		require.Equal(t, want, got)
		require.Equal(t, []bool{whole.lone, whole.Leaked}, []bool{pieces.lone, pieces.Leaked})
	})
}

// FuzzStripper checks that the Stripper only removes text, removes a whole block at the beginning, and holds back a
// bounded amount.
func FuzzStripper(f *testing.F) {
	for _, c := range inlineForms {
		f.Add(c.text, true)
	}
	f.Fuzz(func(t *testing.T, text string, waits bool) {
		text = strings.ToValidUTF8(text, "")
		whole := strip(&Stripper{suspect: waits, waits: waits, maxKept: 64}, text, true, atOnce)
		require.LessOrEqual(t, len(whole), len(text))
		require.True(t, utf8.ValidString(whole))
		if !waits {
			require.Equal(t, whole, strip(&Stripper{}, text, true, oneByOne))
		}
		s := Stripper{suspect: waits, waits: waits, maxKept: 64}
		for _, r := range text {
			s.Push(string(r))
			require.LessOrEqual(t, len(s.held)+len(s.space)+len(s.kept), 64+maxSpace+maxHeader+2*utf8.UTFMax)
		}
		if !strings.ContainsAny(text, "<[◁") {
			require.NotContains(t, strip(&Stripper{}, "<think>"+text+"</think>Hello", true, oneByOne), text+"<")
			require.Equal(t, "Hello", strip(&Stripper{}, "<think>"+text+"</think>Hello", true, oneByOne))
		}
	})
}
