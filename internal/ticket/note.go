package ticket

import (
	"context"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

// AddNote adds a note by the actor, a staff member. It changes nothing that customers see, and does not end an AI
// answer. It returns NotFound.
func (s *Service) AddNote(ctx context.Context, actor auth.Actor, id uuid.UUID, content string) (note Message, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.LockTicketAhead(store.Ahead(ctx), sqlc.LockTicketAheadParams{
			ID: id, ActorID: actor.ID, Staff: actor.IsStaff(),
		}); err != nil {
			return err
		}
		note.AuthorName = actor.DisplayName
		note.Message, err = s.store.CreateNote(store.Last(ctx), sqlc.CreateNoteParams{
			ID: uuid7.New(), TicketID: id, ActorID: actor.ID, ActorKind: actor.Kind(), Staff: actor.IsStaff(), Content: content,
		})
		return err
	})
	return note, store.NotFound(err)
}
