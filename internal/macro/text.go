package macro

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

// The placeholders.
const (
	customerName = "customer.name"
	agentName    = "agent.name"
	ticketID     = "ticket.id"
	ticketTitle  = "ticket.title"
)

var placeholders = []string{customerName, agentName, ticketID, ticketTitle}

// fallbacks replace unknown names, unless the macro names its own fallback.
var fallbacks = map[string]string{customerName: "there", agentName: "the support team"}

// maxRunes is the maximum length of a message.
const maxRunes = 8000

// placeholder matches a name in double braces, with an optional fallback after a bar. It also matches other text after
// two braces, so that it can be refused.
var placeholder = regexp.MustCompile(`\{\{(?:([^{}|]*)(?:\|([^{}|]*))?\}\})?`)

// checkText returns ValidationFailed for a text with an unknown placeholder.
func checkText(text string) error {
	for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
		if slices.Contains(placeholders, strings.TrimSpace(found[1])) {
			continue
		}
		allowed := make([]string, len(placeholders))
		for i, name := range placeholders {
			allowed[i] = "{{" + name + "}}"
		}
		return apperr.New(apperr.ValidationFailed, "The text has an unknown placeholder.").
			At(apperr.Field{Pointer: "/content", Code: apperr.NotAllowed, Allowed: allowed})
	}
	return nil
}

// values are the values of placeholders, by name.
type values map[string]string

func valuesOf(m sqlc.FindMacroForTicketRow, agent string) values {
	return values{
		customerName: m.CustomerName, agentName: agent, ticketID: m.TicketID.String(), ticketTitle: m.Title,
	}
}

// fill replaces the placeholders of a text with their values, verbatim. It returns ValidationFailed if the result is
// longer than a message may be.
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
		return "", apperr.New(apperr.ValidationFailed, "The text is too long with its placeholders filled in.").
			At(apperr.Field{Pointer: "/content", Code: apperr.TooLong, Limit: &limit})
	}
	return filled, nil
}
