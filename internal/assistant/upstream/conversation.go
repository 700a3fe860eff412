package upstream

import (
	"slices"

	"github.com/supportbackend/support/internal/groq"
)

// Conversation is the input of an answer: the system prompt, and then the messages in order.
type Conversation []groq.Message

// Newest returns the newest messages that fit into so many bytes, but always the last one.
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

// shorter returns a conversation of half the size: the system prompt and the newest messages, beginning with one of the
// customer's.
func (c Conversation) shorter() Conversation {
	total := 0
	for _, m := range c[1:] {
		total += len(m.Content)
	}
	rest := Newest(c[1:], total/2)
	for len(rest) > 1 && rest[0].Role == groq.RoleAssistant {
		rest = rest[1:] // Messages would drop it, and the request would be the same again.
	}
	return slices.Insert(slices.Clone(rest), 0, c[0])
}

// Messages returns the conversation for servers that insist on alternating turns: it joins neighbouring messages of one
// role, and begins with the customer's after the system prompt.
func (c Conversation) Messages() []groq.Message {
	turns := []groq.Message{c[0]}
	for i, m := range c[1:] {
		last := &turns[len(turns)-1]
		switch {
		case i > 0 && last.Role == m.Role:
			last.Content += "\n\n" + m.Content
		case last.Role == groq.RoleSystem && m.Role == groq.RoleAssistant && i < len(c)-2:
			// The question that it answers has been dropped.
		default:
			turns = append(turns, m)
		}
	}
	return turns
}
