package assistant

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/groq"
)

const (
	// promptBytes bounds all text that is sent upstream for one answer.
	promptBytes = 48 << 10
	// historyMessages bounds how many messages are considered for it.
	historyMessages = 100
)

//go:embed prompt.tmpl
var promptText string

var promptTemplate = template.Must(template.New("prompt").Parse(promptText))

// promptData is all that the system prompt is made from. None of it is a customer's text.
type promptData struct {
	Today    string
	OpenedOn string
	Status   sqlc.TicketStatus
}

// conversation returns what is sent upstream for a ticket: the system prompt, the ticket's description and the messages
// in their order. When all of it is more than promptBytes, the oldest messages are left out, never the newest one.
func conversation(t sqlc.Ticket, history []sqlc.Message, now time.Time) ([]groq.Message, error) {
	var system strings.Builder
	err := promptTemplate.Execute(&system, promptData{
		Today:    now.UTC().Format(time.DateOnly),
		OpenedOn: t.CreatedAt.UTC().Format(time.DateOnly),
		Status:   t.Status,
	})
	if err != nil {
		return nil, fmt.Errorf("assistant: write the prompt: %w", err)
	}
	messages := []groq.Message{{Role: groq.RoleUser, Content: t.Title + "\n\n" + t.Description}}
	for _, m := range history {
		messages = append(messages, groq.Message{Role: role(m.Author), Content: m.Content})
	}
	kept := newest(messages, promptBytes-system.Len())
	return slices.Insert(kept, 0, groq.Message{Role: groq.RoleSystem, Content: system.String()}), nil
}

// role is who speaks, in the model's terms: the customer, or the desk.
func role(author sqlc.MessageAuthor) groq.Role {
	if author == sqlc.MessageAuthorCustomer {
		return groq.RoleUser
	}
	return groq.RoleAssistant
}

// newest returns the last messages that fit into the budget, and the very last one in any case.
func newest(messages []groq.Message, budget int) []groq.Message {
	from := len(messages)
	for from > 0 {
		budget -= len(messages[from-1].Content)
		if budget < 0 && from < len(messages) {
			break
		}
		from--
	}
	return messages[from:]
}

// shorter is a conversation of half the size: the system prompt, and the newest messages.
func shorter(messages []groq.Message) []groq.Message {
	total := 0
	for _, m := range messages[1:] {
		total += len(m.Content)
	}
	return slices.Insert(slices.Clone(newest(messages[1:], total/2)), 0, messages[0])
}

// joined is the conversation as servers want it that insist on turns: neighbouring messages of one role are one, and the
// first one after the system prompt is the customer's.
func joined(messages []groq.Message) []groq.Message {
	turns := []groq.Message{messages[0]}
	for i, m := range messages[1:] {
		last := &turns[len(turns)-1]
		switch {
		case i > 0 && last.Role == m.Role:
			last.Content += "\n\n" + m.Content
		case last.Role == groq.RoleSystem && m.Role == groq.RoleAssistant && i < len(messages)-2:
			// What it answers has been left out.
		default:
			turns = append(turns, m)
		}
	}
	return turns
}
