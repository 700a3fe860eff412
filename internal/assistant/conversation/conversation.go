// Package conversation assembles the input of AI responses: the system prompt and a ticket's messages, for answers
// (conversation.go) and for staff requests (transcript.go). It also parses the output of a triage (triage.go).
package conversation

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/prompt"
	"github.com/supportbackend/support/internal/store"
)

const (
	// promptBytes bounds the text that is sent upstream for one answer.
	promptBytes = 48 << 10
	// historyMessages bounds the messages of a conversation.
	historyMessages = 100
)

// Service assembles conversations.
type Service struct {
	store   *store.Store
	prompts *prompt.Service
}

// NewService returns a Service on the store.
func NewService(s *store.Store, prompts *prompt.Service) *Service {
	return &Service{store: s, prompts: prompts}
}

// ForResponse returns the conversation for a response.
func (c *Service) ForResponse(ctx context.Context, response sqlc.AIResponse) (upstream.Conversation, error) {
	t, err := c.store.GetTicket(ctx, response.TicketID)
	if err != nil {
		return nil, err
	}
	if response.Kind != sqlc.AIResponseKindAnswer {
		return c.ForStaff(ctx, response.Kind, response.PromptVersion, t)
	}
	return c.ForTurn(ctx, response.PromptVersion, t, response.TurnMessageID)
}

// ForTurn returns the conversation up to a turn, with a version of the prompt; nil is the built-in one.
func (c *Service) ForTurn(
	ctx context.Context, version *int32, t sqlc.Ticket, turn *uuid.UUID,
) (upstream.Conversation, error) {
	p, err := c.prompts.Version(ctx, version)
	if err != nil {
		return nil, err
	}
	return c.WithPrompt(ctx, p, t, turn)
}

// WithPrompt returns the conversation up to a turn, with a prompt; nil is the built-in one.
func (c *Service) WithPrompt(
	ctx context.Context, p *sqlc.Prompt, t sqlc.Ticket, turn *uuid.UUID,
) (upstream.Conversation, error) {
	if turn == nil {
		return build(p, t, nil, time.Now())
	}
	history, err := c.store.ListConversation(ctx, sqlc.ListConversationParams{
		TicketID: t.ID, TurnMessageID: *turn, MaxEarlier: historyMessages - 1,
	})
	if err != nil {
		return nil, err
	}
	return build(p, t, history, time.Now())
}

// build returns the conversation of a ticket: the system prompt, the description and the messages in order. It omits a
// redacted description that is not the turn. If the text exceeds promptBytes, it drops the oldest messages, never the
// newest one.
func build(p *sqlc.Prompt, t sqlc.Ticket, history []sqlc.Message, now time.Time) (upstream.Conversation, error) {
	system, err := prompt.System(p, t, now)
	if err != nil {
		return nil, err
	}
	var messages []groq.Message
	if t.RedactedAt == nil || len(history) == 0 {
		messages = append(messages, groq.Message{Role: groq.RoleUser, Content: t.Title + "\n\n" + t.Description})
	}
	for _, m := range history {
		messages = append(messages, groq.Message{Role: role(m.Author), Content: m.Content})
	}
	kept := upstream.Newest(messages, promptBytes-len(system))
	return slices.Insert(kept, 0, groq.Message{Role: groq.RoleSystem, Content: system}), nil
}

// role returns the speaker in the model's terms: the customer or the desk.
func role(author sqlc.MessageAuthor) groq.Role {
	if author == sqlc.MessageAuthorCustomer {
		return groq.RoleUser
	}
	return groq.RoleAssistant
}
