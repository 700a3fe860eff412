package journal

import (
	"context"
	"time"

	"github.com/supportbackend/support/internal/background"
)

// sweepInterval is how often old partitions are looked for.
const sweepInterval = 10 * time.Minute

// sweep drops partitions of which all entries are too old, until ctx ends.
func (s *Service) sweep(ctx context.Context) {
	outage := &background.Outage{While: "dropping old entries of the journal", Logger: s.logger}
	background.Every(ctx, sweepInterval, outage, s.Trim)
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
