package ticket

import (
	"context"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
)

// Redact takes away what a message said, wherever it stands, and leaves the message itself. Only staff may. What the AI
// is writing may quote it and is never published: answers to customers, unless the message is a note, which they do not know, and
// what staff asked for. Redacting a message again changes nothing. It returns NotFound.
func (s *Service) Redact(ctx context.Context, actor auth.Actor, id uuid.UUID) (message sqlc.Message, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		ticket, err := s.store.LockTicketOfMessage(ctx, sqlc.LockTicketOfMessageParams{MessageID: id, Staff: actor.IsStaff()})
		if err != nil {
			return store.NotFound(err)
		}
		if message, err = s.store.GetMessage(ctx, id); err != nil || message.RedactedAt != nil {
			return err
		}
		if _, err := s.store.SupersedeAIResponses(ctx, sqlc.SupersedeAIResponsesParams{
			TicketID: ticket.ID, ActorKind: actor.Kind(), ActorID: &actor.ID, Answers: !message.IsNote, StaffRequests: true,
		}); err != nil {
			return err
		}
		redacted, err := s.store.RedactMessage(store.Last(ctx), sqlc.RedactMessageParams{
			ID: id, ActorKind: actor.Kind(), ActorID: actor.ID,
		})
		message = sqlc.Message(redacted)
		return err
	})
	return message, err
}
