package uistream

import (
	"regexp"
	"strings"

	"github.com/supportbackend/support/gen/api"
)

// Message is the customer's message in a request.
type Message struct {
	// ID is the client's own; empty when it sent no valid one.
	ID, Text string
}

// validID matches a client's id for a message.
var validID = regexp.MustCompile(`^[\x21-\x7e]{1,255}$`)

// Last returns the last message, and whether it is the user's. It ignores the messages before it, which are the
// client's copy of the history.
func Last(messages []api.ClientMessage) (message Message, isUsers bool) {
	if len(messages) == 0 {
		return Message{}, false
	}
	last := messages[len(messages)-1]
	if last.Role != "user" {
		return Message{}, false
	}
	for _, member := range []any{last.UnstableID, last.ID} {
		if id, ok := member.(string); ok && validID.MatchString(id) {
			message.ID = id
		}
	}
	if text, ok := last.Content.(string); ok {
		message.Text = text
		return message, true
	}
	var texts []string
	for _, content := range []any{last.Parts, last.Content} {
		parts, _ := content.([]any)
		for _, part := range parts {
			member, _ := part.(map[string]any)
			if text, ok := member["text"].(string); ok && member["type"] == "text" {
				texts = append(texts, text)
			}
		}
	}
	message.Text = strings.Join(texts, "\n")
	return message, true
}
