package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
)

func TestControlCharactersAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	bad := []string{`\ud800`, `\udfff`, `\ude00\ud83d`, `\ud800\u0041`, `\ufffe`, `\uffff`}
	for control := range 0x20 {
		if control != '\t' && control != '\n' && control != '\r' {
			bad = append(bad, fmt.Sprintf(`\u%04x`, control))
		}
	}
	for _, c := range d.writes(t) {
		for _, member := range c.RequestBody.Value.Content["application/json"].Schema.Value.Required {
			properties := c.RequestBody.Value.Content["application/json"].Schema.Value.Properties
			for _, character := range bad {
				if properties[member].Value.Format == "text" && (character == `\u000b` || character == `\u000c`) {
					continue // In texts, these become line breaks.
				}
				r := d.do(t, c, bodyWith(t, c, member, `"`+character+canary+`"`), jsonType)
				requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed,
					"/"+member+" invalid_characters")
			}
		}
	}
}

func TestTitleStaysOnOneLineAndInOneDirection(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	c := d.call(t, "createTicket")
	for _, character := range []string{
		"\n", "\r", "\t", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069",
	} {
		body := bodyWith(t, c, "title", encode(t, canary+character+"x"))
		r := d.do(t, c, body, jsonType)
		requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, "/title invalid_characters")
	}
}

func TestTextOfTheWrongLengthIsRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, test := range []struct{ id, member, value, want string }{
		{"signUp", "email", "", "/email too_short"},
		{"signUp", "email", strings.Repeat("a", 243) + "@example.com", "/email too_long"},
		{"signUp", "password", "", "/password too_short"},
		{"signUp", "password", "1234567", "/password too_short"},
		{"signUp", "password", strings.Repeat("😀", 7), "/password too_short"},
		{"signUp", "password", strings.Repeat("😀", 129), "/password too_long"},
		{"logIn", "email", "", "/email too_short"},
		{"logIn", "email", strings.Repeat("a", 255), "/email too_long"},
		{"logIn", "password", "", "/password too_short"},
		{"logIn", "password", strings.Repeat("a", 513), "/password too_long"},
		{"createTicket", "title", "", "/title too_short"},
		{"createTicket", "title", strings.Repeat("a", 201), "/title too_long"},
		{"createTicket", "title", strings.Repeat("😀", 201), "/title too_long"},
		{"createTicket", "description", "", "/description too_short"},
		{"createTicket", "description", strings.Repeat("a", 10001), "/description too_long"},
		{"createTicket", "description", strings.Repeat("😀", 10001), "/description too_long"},
		{"createMessage", "content", "", "/content too_short"},
		{"createMessage", "content", strings.Repeat("a", 8001), "/content too_long"},
		{"createMessage", "content", strings.Repeat("😀", 8001), "/content too_long"},
	} {
		c := d.call(t, test.id)
		r := d.do(t, c, bodyWith(t, c, test.member, encode(t, test.value)), jsonType)
		problem := r.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		var got []string
		for _, field := range problem.Errors {
			got = append(got, field.Pointer+" "+string(field.Code))
		}
		require.Contains(t, got, test.want)
		require.LessOrEqual(t, len(got), 2, "an empty text also lacks what it must have: %v", got)
	}
}

func TestTextOfTheGreatestLengthIsAccepted(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for _, character := range []string{"a", "é", "漢", "😀"} {
		created, err := d.owner.CreateTicketWithResponse(t.Context(), nil, client.CreateTicketRequest{
			Title: strings.Repeat(character, 200), Description: strings.Repeat(character, 10000),
		})
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
		require.Equal(t, strings.Repeat(character, 10000), created.JSON201.Description)
		message := d.owner.Say(t, created.JSON201.ID, strings.Repeat(character, 8000))
		require.Equal(t, strings.Repeat(character, 8000), message.Content)
	}
}

func TestTextOfWhiteSpaceOnlyIsRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, blank := range []string{" ", "   ", "\u00a0", "\u2003\u3000", "\u2002\u2009", " \u202f\u205f"} {
		for id, members := range map[string][]string{
			"createTicket": {"title", "description"}, "createMessage": {"content"},
		} {
			c := d.call(t, id)
			for _, member := range members {
				r := d.do(t, c, bodyWith(t, c, member, encode(t, blank)), jsonType)
				requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed,
					"/"+member+" invalid_format")
			}
		}
	}
	for _, blank := range []string{"\t", "\r\n", " \t\n\n "} {
		c := d.call(t, "createMessage")
		r := d.do(t, c, bodyWith(t, c, "content", encode(t, blank)), jsonType)
		requireRefused(t, r, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, "/content invalid_format")
	}
}
