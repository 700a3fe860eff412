package ticket

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

// BulkChange is the change that UpdateMany makes in each ticket. It describes the state afterwards, so making it twice
// has no further effect.
type BulkChange struct {
	// Change must not have tags, custom fields or an external id.
	Change
	AddTags, RemoveTags []string
}

// BulkResult is the result for one ticket: it was changed, or Err says why not.
type BulkResult struct {
	ID  uuid.UUID
	Err *apperr.Error
}

// UpdateMany changes the tickets in order, each in its own transaction. It leaves a ticket that already has the state
// unchanged. If the database fails, it returns the error; the tickets before that one have been changed.
func (s *Service) UpdateMany(ctx context.Context, actor auth.Actor, ids []uuid.UUID, change BulkChange) ([]BulkResult, error) {
	results := make([]BulkResult, len(ids))
	for i, id := range ids {
		results[i].ID = id
		err := s.Adjust(ctx, actor, id, change)
		if err != nil && !errors.As(err, &results[i].Err) {
			return nil, err
		}
		if results[i].Err != nil && (results[i].Err.Code == apperr.DBBusy || results[i].Err.Code == apperr.DBUnavailable) {
			return nil, err
		}
	}
	return results, nil
}

// Adjust makes a change in a ticket. Setting the status that it already has is no change. It returns the errors of Update.
func (s *Service) Adjust(ctx context.Context, actor auth.Actor, id uuid.UUID, change BulkChange) error {
	return s.store.InTx(ctx, func(ctx context.Context) error {
		before, err := Lock(ctx, s.store, actor, id)
		if err != nil {
			return err
		}
		_, err = s.change(ctx, actor, before, change.of(before))
		return err
	})
}

// of returns the change for one ticket.
func (c BulkChange) of(t sqlc.Ticket) Change {
	change := c.Change
	if change.Status == t.Status {
		change.Status = ""
	}
	if len(c.AddTags)+len(c.RemoveTags) > 0 {
		tags := without(t.Tags, c.RemoveTags)
		tags = append(tags, without(c.AddTags, tags)...)
		change.Tags = &tags
	}
	return change
}
