package assistant

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant/upstream"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/prompt"
	"github.com/supportbackend/support/internal/store"
)

// Preview is a request that would be sent upstream.
type Preview struct {
	Prompt   sqlc.Prompt
	Model    string
	Messages []groq.Message
}

// Preview returns the request that would be sent upstream for the next answer in a ticket if the prompt were live. It
// sends nothing. Without a ticket, it returns only the system prompt, as for a new ticket. It returns NotFound.
func (s *Service) Preview(ctx context.Context, actor auth.Actor, promptID uuid.UUID, ticketID *uuid.UUID) (Preview, error) {
	view, err := s.prompts.Get(ctx, promptID)
	if err != nil {
		return Preview{}, err
	}
	c, err := s.preview(ctx, actor, &view.Prompt, ticketID)
	if err != nil {
		return Preview{}, err
	}
	return Preview{Prompt: view.Prompt, Model: s.claims.models.Default(), Messages: c.Messages()}, nil
}

func (s *Service) preview(
	ctx context.Context, actor auth.Actor, p *sqlc.Prompt, ticketID *uuid.UUID,
) (upstream.Conversation, error) {
	if ticketID == nil {
		now := time.Now()
		text, err := prompt.System(p, sqlc.Ticket{Status: sqlc.TicketStatusOpen, CreatedAt: now}, now)
		return upstream.Conversation{{Role: groq.RoleSystem, Content: text}}, err
	}
	turn, err := s.store.FindTurn(ctx, sqlc.FindTurnParams{ID: *ticketID, ActorID: actor.ID, Staff: actor.IsStaff()})
	if err != nil {
		return nil, store.NotFound(err)
	}
	return s.claims.conversations.WithPrompt(ctx, p, turn.Ticket, idOrNil(turn.TurnMessageID))
}
