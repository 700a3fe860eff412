package auth

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/background"
)

const (
	// flushInterval is how often a server records which API keys were used, maxFlushed how many it records in one
	// statement, and keyUseInterval the minimum time between two records of one key.
	flushInterval  = 10 * time.Second
	maxFlushed     = 1000
	keyUseInterval = time.Minute
)

// usedKeys are the API keys that were used since the last flush. Requests do not wait for a flush.
type usedKeys struct {
	mu  sync.Mutex
	ids map[uuid.UUID]struct{}
}

func (u *usedKeys) add(ids ...uuid.UUID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, id := range ids {
		u.ids[id] = struct{}{}
	}
}

func (u *usedKeys) take() []uuid.UUID {
	u.mu.Lock()
	defer u.mu.Unlock()
	ids := slices.Collect(maps.Keys(u.ids))
	clear(u.ids)
	return ids
}

// Run records which API keys are used, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	background.Every(ctx, flushInterval, &background.Outage{While: "recording the use of API keys", Logger: s.logger}, s.FlushKeyUse)
}

// FlushKeyUse records the use of API keys, in batches. It keeps what it cannot write for the next flush.
func (s *Service) FlushKeyUse(ctx context.Context) error {
	var failed error
	for ids := range slices.Chunk(s.used.take(), maxFlushed) {
		err := s.store.UpdateAPIKeysLastUsed(ctx, sqlc.UpdateAPIKeysLastUsedParams{
			IDs: ids, IntervalSeconds: int32(keyUseInterval.Seconds()),
		})
		if err != nil {
			s.used.add(ids...)
			failed = cmp.Or(failed, err)
		}
	}
	return failed
}
