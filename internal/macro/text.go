package macro

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

// The placeholders that there are.
const (
	customerName = "customer.name"
	agentName    = "agent.name"
	ticketID     = "ticket.id"
	ticketTitle  = "ticket.title"
)

var placeholders = []string{customerName, agentName, ticketID, ticketTitle}

// fallbacks stand in for names that nobody knows, unless the macro says what does.
var fallbacks = map[string]string{customerName: "there", agentName: "the support team"}

// maxRunes is how long a message may be.
const maxRunes = 8000

// placeholder is a name in two pairs of braces, with what stands in for it behind a bar. What opens and is nothing of the kind is
// found too, so that it can be refused.
var placeholder = regexp.MustCompile(`\{\{(?:([^{}|]*)(?:\|([^{}|]*))?\}\})?`)

// checkText returns ValidationFailed for a text with a placeholder that does not exist.
func checkText(text string) error {
	for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
		if slices.Contains(placeholders, strings.TrimSpace(found[1])) {
			continue
		}
		allowed := make([]string, len(placeholders))
		for i, name := range placeholders {
			allowed[i] = "{{" + name + "}}"
		}
		return apperr.New(apperr.ValidationFailed, "The text has a placeholder that does not exist.").
			At(apperr.Field{Pointer: "/content", Code: apperr.NotAllowed, Allowed: allowed})
	}
	return nil
}

// values are what placeholders say, by name.
type values map[string]string

func valuesOf(m sqlc.FindMacroForTicketRow, agent string) values {
	return values{
		customerName: m.CustomerName, agentName: agent, ticketID: m.TicketID.String(), ticketTitle: m.Title,
	}
}

// fill returns a text with the values in place of its placeholders, each inserted as it is. It returns ValidationFailed for one
// that is longer than a message may be.
func fill(text string, v values) (string, error) {
	filled := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		parts := placeholder.FindStringSubmatch(found)
		name := strings.TrimSpace(parts[1])
		for _, value := range []string{v[name], parts[2], fallbacks[name]} {
			if value != "" {
				return value
			}
		}
		return ""
	})
	if utf8.RuneCountInString(filled) > maxRunes {
		limit := int64(maxRunes)
		return "", apperr.New(apperr.ValidationFailed, "With what its placeholders say, the text is too long.").
			At(apperr.Field{Pointer: "/content", Code: apperr.TooLong, Limit: &limit})
	}
	return filled, nil
}
