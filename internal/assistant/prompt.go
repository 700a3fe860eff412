package assistant

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/store"
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

// conversationFor returns what is sent upstream for a response.
func conversationFor(ctx context.Context, s *store.Store, response sqlc.AIResponse) (upstream.Conversation, error) {
	t, err := s.GetTicket(ctx, response.TicketID)
	if err != nil {
		return nil, err
	}
	return conversationOf(ctx, s, t, response.TurnMessageID)
}

// conversationOf returns what is sent upstream to answer a turn: the conversation up to there.
func conversationOf(ctx context.Context, s *store.Store, t sqlc.Ticket, turn *uuid.UUID) (upstream.Conversation, error) {
	if turn == nil {
		return conversation(t, nil, time.Now())
	}
	history, err := s.ListConversation(ctx, sqlc.ListConversationParams{
		TicketID: t.ID, TurnMessageID: *turn, MaxEarlier: historyMessages - 1,
	})
	if err != nil {
		return nil, err
	}
	return conversation(t, history, time.Now())
}

// conversation returns what is sent upstream for a ticket: the system prompt, the ticket's description and the messages
// in their order. When all of it is more than promptBytes, the oldest messages are left out, never the newest one.
func conversation(t sqlc.Ticket, history []sqlc.Message, now time.Time) (upstream.Conversation, error) {
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
	kept := upstream.Newest(messages, promptBytes-system.Len())
	return slices.Insert(kept, 0, groq.Message{Role: groq.RoleSystem, Content: system.String()}), nil
}

// role is who speaks, in the model's terms: the customer, or the desk.
func role(author sqlc.MessageAuthor) groq.Role {
	if author == sqlc.MessageAuthorCustomer {
		return groq.RoleUser
	}
	return groq.RoleAssistant
}
