package upstream

import (
	"slices"

	"github.com/supportbackend/support/internal/groq"
)

// Conversation is what is sent for an answer: the system prompt, and then what was said, in its order.
type Conversation []groq.Message

// Newest returns the last messages that fit into so many bytes, and the very last one in any case.
func Newest(messages []groq.Message, bytes int) []groq.Message {
	from := len(messages)
	for from > 0 {
		bytes -= len(messages[from-1].Content)
		if bytes < 0 && from < len(messages) {
			break
		}
		from--
	}
	return messages[from:]
}

// shorter is a conversation of half the size: the system prompt, and the newest messages from one of the customer's on.
func (c Conversation) shorter() Conversation {
	total := 0
	for _, m := range c[1:] {
		total += len(m.Content)
	}
	rest := Newest(c[1:], total/2)
	for len(rest) > 1 && rest[0].Role == groq.RoleAssistant {
		rest = rest[1:] // Messages would leave it out, and the request would be the same again.
	}
	return slices.Insert(slices.Clone(rest), 0, c[0])
}

// Messages is the conversation as servers want it that insist on turns: neighbouring messages of one role are one, and the
// first one after the system prompt is the customer's.
func (c Conversation) Messages() []groq.Message {
	turns := []groq.Message{c[0]}
	for i, m := range c[1:] {
		last := &turns[len(turns)-1]
		switch {
		case i > 0 && last.Role == m.Role:
			last.Content += "\n\n" + m.Content
		case last.Role == groq.RoleSystem && m.Role == groq.RoleAssistant && i < len(c)-2:
			// What it answers has been left out.
		default:
			turns = append(turns, m)
		}
	}
	return turns
}
