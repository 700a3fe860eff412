package ticket

import (
	"context"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
)

// Rate records what a ticket's customer thinks of an answer of the AI, in place of what they thought before. comment may
// be nil. It returns NotFound for everybody else, and for what is no answer of the AI.
func (s *Service) Rate(
	ctx context.Context, actor auth.Actor, messageID uuid.UUID, rating sqlc.FeedbackRating, comment *string,
) (sqlc.MessageFeedback, error) {
	feedback, err := s.store.PutMessageFeedback(ctx, sqlc.PutMessageFeedbackParams{
		MessageID: messageID, ActorID: actor.ID, Rating: rating, Comment: comment,
	})
	return feedback, store.NotFound(err)
}

// Feedback returns what the customer thinks of an answer. It returns NotFound while they have not said.
func (s *Service) Feedback(ctx context.Context, actor auth.Actor, messageID uuid.UUID) (sqlc.MessageFeedback, error) {
	feedback, err := s.store.FindMessageFeedback(ctx, sqlc.FindMessageFeedbackParams{
		MessageID: messageID, ActorID: actor.ID, Staff: actor.IsStaff(),
	})
	return feedback, store.NotFound(err)
}
