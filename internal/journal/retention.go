package journal

import (
	"context"
	"time"

	"github.com/supportbackend/support/internal/background"
)

// trimInterval is how often old partitions are dropped.
const trimInterval = 10 * time.Minute

// Tasks returns the journal's periodic work: dropping old partitions.
func (s *Service) Tasks() []background.Task {
	return []background.Task{{Name: "drop_old_journal_entries", Every: trimInterval, Do: s.Trim}}
}

// Trim drops the partitions whose entries have all expired.
func (s *Service) Trim(ctx context.Context) error {
	for {
		dropped, err := s.store.TrimJournal(ctx, s.kept.Seconds())
		if err != nil || dropped == 0 {
			return err
		}
	}
}
