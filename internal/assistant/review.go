package assistant

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
)

// Publish stores a draft in review as a message of its ticket. Content that is not empty replaces the draft's text in
// the message; the draft keeps its own. Like a staff reply, it fences whatever else the AI is writing in the ticket. It
// returns NotFound, and NotInReview when the draft is still being written, was published or discarded, or has been
// fenced.
func (s *Service) Publish(ctx context.Context, actor auth.Actor, id uuid.UUID, content string) (sqlc.Message, error) {
	draft, err := s.Get(ctx, actor, id)
	if err != nil {
		return sqlc.Message{}, err
	}
	if draft.Content == nil {
		return sqlc.Message{}, errNotInReview()
	}
	content = cmp.Or(content, *draft.Content)
	var message sqlc.Message
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.lockTicketAhead(ctx, draft.TicketID); err != nil {
			return err
		}
		message, err = s.store.PublishAIResponse(store.Last(ctx), sqlc.PublishAIResponseParams{
			ID: id, Content: content, EditDistance: editDistance(*draft.Content, content), ActorID: actor.ID, ActorKind: actor.Kind(),
		})
		return err
	})
	if errors.Is(err, store.ErrNoRows) {
		err = errNotInReview()
	}
	return message, err
}

// Discard discards a draft in review: it never becomes a message. Discarding it again changes nothing. It returns the
// errors of Publish.
func (s *Service) Discard(ctx context.Context, actor auth.Actor, id uuid.UUID) (sqlc.AIResponse, error) {
	draft, err := s.Get(ctx, actor, id)
	if err != nil || draft.Review != nil && *draft.Review == sqlc.AIReviewDiscarded {
		return draft, err
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.lockTicketAhead(ctx, draft.TicketID); err != nil {
			return err
		}
		draft, err = s.store.DiscardAIResponse(store.Last(ctx), sqlc.DiscardAIResponseParams{
			ID: id, ActorID: actor.ID, ActorKind: actor.Kind(),
		})
		return err
	})
	if errors.Is(err, store.ErrNoRows) {
		err = errNotInReview()
	}
	return draft, err
}

// lockTicketAhead locks a ticket with the next statement. Reviewers are staff, who may see every ticket.
func (s *Service) lockTicketAhead(ctx context.Context, id uuid.UUID) error {
	return s.store.LockTicketAhead(store.Ahead(ctx), sqlc.LockTicketAheadParams{ID: id, Staff: true})
}

func errNotInReview() error {
	return apperr.New(apperr.NotInReview, "The AI response is not a draft in review.")
}

// maxComparedWords bounds the words that editDistance compares, and so its cost.
const maxComparedWords = 2000

// editDistance returns how many words must be added, removed or replaced to turn one text into the other. If the
// differing parts have more than maxComparedWords, it returns the number of words of the longer part.
func editDistance(from, to string) int32 {
	a, b := strings.Fields(from), strings.Fields(to)
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if max(len(a), len(b)) > maxComparedWords {
		return int32(max(len(a), len(b))) //nolint:gosec // A text has at most 65536 bytes.
	}
	// row holds the distances from the words of a so far to every prefix of b.
	row := make([]int32, len(b)+1)
	for j := range row {
		row[j] = int32(j)
	}
	for i, word := range a {
		diagonal := row[0]
		row[0] = int32(i + 1)
		for j, other := range b {
			replaced := diagonal
			if word != other {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
