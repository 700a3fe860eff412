package ticket

import (
	"context"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
)

// Rate records or replaces the customer's rating of an AI answer. comment may be nil. It returns NotFound for everybody
// else, and for messages that are not AI answers, and RateLimited when the customer has used up the budget for the day.
func (s *Service) Rate(
	ctx context.Context, actor auth.Actor, messageID uuid.UUID, rating sqlc.FeedbackRating, comment *string,
) (feedback sqlc.MessageFeedback, err error) {
	bytes := 0
	if comment != nil {
		bytes = len(*comment)
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.countChange(ctx, actor, bytes); err != nil {
			return err
		}
		feedback, err = s.store.PutMessageFeedback(store.Last(ctx), sqlc.PutMessageFeedbackParams{
			MessageID: messageID, ActorID: actor.ID, Rating: rating, Comment: comment,
		})
		return err
	})
	return feedback, store.NotFound(err)
}

// Feedback returns the customer's rating of an answer. It returns NotFound if there is none.
func (s *Service) Feedback(ctx context.Context, actor auth.Actor, messageID uuid.UUID) (sqlc.MessageFeedback, error) {
	feedback, err := s.store.FindMessageFeedback(ctx, sqlc.FindMessageFeedbackParams{
		MessageID: messageID, ActorID: actor.ID, Staff: actor.IsStaff(),
	})
	return feedback, store.NotFound(err)
}
