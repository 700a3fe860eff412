package groq

import (
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
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

// strip passes the text through a stripper in pieces made by cut.
func strip(s *stripper, text string, reason FinishReason, cut func(rest string) int) string {
	var out strings.Builder
	for text != "" {
		n := cut(text)
		for !utf8.RuneStart((text + "x")[n]) {
			n++
		}
		out.WriteString(s.push(text[:n]))
		text = text[n:]
	}
	out.WriteString(s.flush(reason))
	return out.String()
}

func atOnce(rest string) int { return len(rest) }

func oneByOne(string) int { return 1 }

func TestReasoningIsStripped(t *testing.T) {
	t.Parallel()
	for name, c := range inlineForms {
		for _, reason := range []FinishReason{FinishStop, FinishLength} {
			require.Equal(t, c.want, strip(&stripper{}, c.text, reason, atOnce), name)
			require.Equal(t, c.want, strip(&stripper{}, c.text, reason, oneByOne), name)
			waits := stripper{suspect: true, waits: true, maxKept: 1 << 20}
			require.Equal(t, c.want, strip(&waits, c.text, reason, oneByOne), name)
		}
	}
	require.Empty(t, strip(&stripper{}, "<thi", FinishLength, atOnce), "the limit has cut a tag")
	require.Equal(t, "<", strip(&stripper{}, "<", FinishStop, atOnce))
}

func TestReasoningWithoutItsOpeningTag(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, want string
		always     bool
		reason     FinishReason
	}{
		"closing tag":              {"\nsecret\n</think>\n\nHello", "Hello", false, FinishStop},
		"two of them":              {"secret</think><think>secret</think>Hello", "Hello", false, FinishStop},
		"none":                     {"Hello", "Hello", false, FinishStop},
		"a pair in the answer":     {"Hello <think>x</think>", "Hello <think>x</think>", false, FinishStop},
		"cut, and nothing known":   {"Hello", "Hello", false, FinishLength},
		"cut, and known to think":  {"secret", "", true, FinishLength},
		"known, but did not think": {"Hello", "Hello", true, FinishStop},
	} {
		for _, cut := range []func(string) int{atOnce, oneByOne} {
			s := stripper{suspect: true, waits: true, always: c.always, maxKept: 1 << 20}
			require.Equal(t, c.want, strip(&s, c.text, c.reason, cut), name)
			require.Equal(t, strings.Contains(name, "closing") || strings.Contains(name, "two"), s.lone, name)
		}
	}
	s := stripper{suspect: true}
	require.Equal(t, "Hello ", s.push("Hello "))
	s.push("</th")
	s.push("ink>")
	require.True(t, s.leaked, "the text so far was reasoning")
}

// TestStrippingDoesNotDependOnThePieces cuts texts made of markers and words at random.
func TestStrippingDoesNotDependOnThePieces(t *testing.T) {
	t.Parallel()
	parts := append([]string{" ", "\n", "Hello", "<", "<|", "thi", "◁", "é😀", "final", "analysis", "</think>", "</thinking>", "[/THINK]", harmonyMessage}, openers...)
	parts = append(parts, harmonyEnds...)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 12).Draw(t, "parts"), "")
		reason := rapid.SampledFrom([]FinishReason{FinishStop, FinishLength}).Draw(t, "reason")
		model := stripper{
			suspect: rapid.Bool().Draw(t, "suspect"), waits: rapid.Bool().Draw(t, "waits"), always: rapid.Bool().Draw(t, "always"),
			maxKept: 1 << 20,
		}
		whole, pieces := model, model
		want := strip(&whole, text, reason, atOnce)
		got := strip(&pieces, text, reason, func(rest string) int { return rapid.IntRange(1, len(rest)).Draw(t, "cut") })
		require.Equal(t, want, got)
		require.Equal(t, []bool{whole.lone, whole.leaked}, []bool{pieces.lone, pieces.leaked})
	})
}

// FuzzStripper checks that the stripper only removes text, removes a whole block at the beginning, and holds back a
// bounded amount.
func FuzzStripper(f *testing.F) {
	for _, c := range inlineForms {
		f.Add(c.text, true)
	}
	f.Fuzz(func(t *testing.T, text string, waits bool) {
		text = strings.ToValidUTF8(text, "")
		whole := strip(&stripper{suspect: waits, waits: waits, maxKept: 64}, text, FinishStop, atOnce)
		require.LessOrEqual(t, len(whole), len(text))
		require.True(t, utf8.ValidString(whole))
		if !waits {
			require.Equal(t, whole, strip(&stripper{}, text, FinishStop, oneByOne))
		}
		s := stripper{suspect: waits, waits: waits, maxKept: 64}
		for _, r := range text {
			s.push(string(r))
			require.LessOrEqual(t, len(s.held)+len(s.space)+len(s.kept), 64+maxSpace+maxHeader+2*utf8.UTFMax)
		}
		if !strings.ContainsAny(text, "<[◁") {
			require.NotContains(t, strip(&stripper{}, "<think>"+text+"</think>Hello", FinishStop, oneByOne), text+"<")
			require.Equal(t, "Hello", strip(&stripper{}, "<think>"+text+"</think>Hello", FinishStop, oneByOne))
		}
	})
}

func TestAModelIsKnownAfterItsFirstAnswer(t *testing.T) {
	t.Parallel()
	deltas := func(client *Client) (all []string) {
		s := client.Stream(t.Context(), question)
		for s.Next() {
			all = append(all, s.Delta())
		}
		require.NoError(t, s.Close())
		require.NoError(t, s.Err())
		return all
	}
	compatible := func(answers ...string) *Client {
		u := &upstream{}
		for _, body := range answers {
			u.answers = append(u.answers, respond(200, body))
		}
		client, err := New(Options{BaseURL: "http://other.test/v1", HTTPClient: &http.Client{Transport: u}, Limits: testLimits()})
		require.NoError(t, err)
		return client
	}
	plain := say("Hel") + say("lo") + stop + done
	thinks := say("secret") + say("</think>") + say("Hel") + say("lo") + stop + done
	separate := `data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}` + "\n\n" + plain

	client := compatible(plain, plain, say("Hel")+finish("length"))
	require.Equal(t, []string{"Hello"}, deltas(client), "the first answer is sent as a whole")
	require.Equal(t, []string{"Hel", "lo"}, deltas(client))

	client = compatible(thinks, thinks, plain)
	require.Equal(t, []string{"Hel", "lo"}, deltas(client))
	require.Equal(t, []string{"Hel", "lo"}, deltas(client))
	require.Equal(t, []string{"Hello"}, deltas(client), "a model that wrote inline reasoning once is always buffered")

	client = compatible(separate, plain)
	require.Equal(t, []string{"Hel", "lo"}, deltas(client), "reasoning in its own field does not affect the text")
	require.Equal(t, []string{"Hel", "lo"}, deltas(client))

	client = compatible(plain, thinks, thinks)
	deltas(client)
	text, fault := drain(t, client.Stream(t.Context(), question))
	require.Equal(t, "secret", text)
	require.Equal(t, "inline_reasoning", fault.Code, "such an answer is not stored")
	require.Equal(t, []string{"Hel", "lo"}, deltas(client), "the next answer is buffered")
}

func TestReasoningFieldsAreDropped(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"reasoning", "reasoning_content", "thinking"} {
		body := `data: {"choices":[{"delta":{"` + field + `":"secret"}}]}` + "\n\n" + say("Hello") + stop + done
		out := decode(iotest.OneByteReader(strings.NewReader(body)), testLimits())
		require.Equal(t, "Hello", out.text)
	}
}
