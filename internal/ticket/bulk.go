package ticket

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
)

// BulkChange is what UpdateMany changes of each ticket. It says how each of them is to be afterwards, so making it twice is as
// good as once.
type BulkChange struct {
	// Change has no tags, no custom fields and no external id.
	Change
	AddTags, RemoveTags []string
}

// BulkResult is what became of one ticket: it was changed, or Err says why not.
type BulkResult struct {
	ID  uuid.UUID
	Err *apperr.Error
}

// UpdateMany changes each of the tickets in a transaction of its own, in order. A ticket that is already as the change wants it
// stays as it is. When the database fails, it returns the error, and the tickets before that one have been changed.
func (s *Service) UpdateMany(ctx context.Context, actor auth.Actor, ids []uuid.UUID, change BulkChange) ([]BulkResult, error) {
	results := make([]BulkResult, len(ids))
	for i, id := range ids {
		results[i].ID = id
		err := s.store.InTx(ctx, func(ctx context.Context) error {
			return s.Adjust(ctx, actor, id, change)
		})
		if err != nil && !errors.As(err, &results[i].Err) {
			return nil, err
		}
		if results[i].Err != nil && (results[i].Err.Code == apperr.DBBusy || results[i].Err.Code == apperr.DBUnavailable) {
			return nil, err
		}
	}
	return results, nil
}

// Adjust makes a change in a ticket, within a transaction. The status that it already has is no change. It returns what Update returns.
func (s *Service) Adjust(ctx context.Context, actor auth.Actor, id uuid.UUID, change BulkChange) error {
	before, err := Lock(ctx, s.store, actor, id)
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, actor, id, change.of(before), anyVersion)
	return err
}

func anyVersion(int64) bool { return true }

// of is the change of one ticket.
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
