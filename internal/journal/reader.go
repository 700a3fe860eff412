package journal

import (
	"context"

	"github.com/supportbackend/support/gen/sqlc"
)

// Entry is an entry of the journal, with what people wrote where the entry is about that.
type Entry = sqlc.ListJournalRow

// State is how far the journal has come.
type State = sqlc.GetJournalStateRow

// State returns the newest position, the oldest that is kept, and what waits in the outbox.
func (s *Service) State(ctx context.Context) (State, error) { return s.store.GetJournalState(ctx) }

// Read returns up to limit entries after a position, in order, whoever may see them: what it returns is for the product's own
// work. Fewer than limit mean that there are no more yet; Wait waits for them.
func (s *Service) Read(ctx context.Context, after int64, limit int32) ([]Entry, error) {
	return s.store.ListJournal(ctx, sqlc.ListJournalParams{After: after, MaxRows: limit})
}

// Wait returns when the journal may have an entry after the position, or with an error when ctx ends before.
func (s *Service) Wait(ctx context.Context, after int64) error { return s.head.wait(ctx, after) }
