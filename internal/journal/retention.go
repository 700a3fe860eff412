package journal

import (
	"context"
	"time"

	"github.com/supportbackend/support/internal/background"
)

// trimInterval is how often old partitions are looked for.
const trimInterval = 10 * time.Minute

// Tasks are what the journal repeats: it drops partitions of which all entries are too old.
func (s *Service) Tasks() []background.Task {
	return []background.Task{{Name: "drop_old_journal_entries", Every: trimInterval, Do: s.Trim}}
}

// Trim drops the partitions of which all entries are older than they are kept.
func (s *Service) Trim(ctx context.Context) error {
	for {
		dropped, err := s.store.TrimJournal(ctx, s.kept.Seconds())
		if err != nil || dropped == 0 {
			return err
		}
	}
}
