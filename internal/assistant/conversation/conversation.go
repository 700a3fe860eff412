// Package conversation puts together what is sent upstream: the system prompt and what was said in a ticket, for answers
// (conversation.go) and for staff requests (transcript.go). Of a triage, it also reads what comes back (triage.go).
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
	// promptBytes bounds all text that is sent upstream for one answer.
	promptBytes = 48 << 10
	// historyMessages bounds how many messages are considered for it.
	historyMessages = 100
)

// Service puts conversations together.
type Service struct {
	store   *store.Store
	prompts *prompt.Service
}

// NewService returns a Service on the store.
func NewService(s *store.Store, prompts *prompt.Service) *Service {
	return &Service{store: s, prompts: prompts}
}

// Of returns what is sent upstream for a response.
func (c *Service) Of(ctx context.Context, response sqlc.AIResponse) (upstream.Conversation, error) {
	t, err := c.store.GetTicket(ctx, response.TicketID)
	if err != nil {
		return nil, err
	}
	if response.Kind != sqlc.AIResponseKindAnswer {
		return c.ForStaff(ctx, response.Kind, response.PromptVersion, t)
	}
	return c.To(ctx, response.PromptVersion, t, response.TurnMessageID)
}

// To returns what is sent upstream to answer a turn by a version of the prompt: the conversation up to there.
func (c *Service) To(
	ctx context.Context, version *int32, t sqlc.Ticket, turn *uuid.UUID,
) (upstream.Conversation, error) {
	p, err := c.prompts.Version(ctx, version)
	if err != nil {
		return nil, err
	}
	return c.By(ctx, p, t, turn)
}

// By returns what is sent upstream to answer a turn by a prompt, which is nil for the one that is built in.
func (c *Service) By(
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

// build returns what is sent upstream for a ticket: the system prompt, the ticket's description and the messages in their order,
// without a description that was redacted and is not the turn. When all of it is more than promptBytes, the oldest messages are left
// out, never the newest one.
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

// role is who speaks, in the model's terms: the customer, or the desk.
func role(author sqlc.MessageAuthor) groq.Role {
	if author == sqlc.MessageAuthorCustomer {
		return groq.RoleUser
	}
	return groq.RoleAssistant
}
