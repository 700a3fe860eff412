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
	// flushInterval is how often a server writes down which API keys were used, maxFlushed how many in one statement, and
	// keyUseInterval how often at most that is written of one key.
	flushInterval  = 10 * time.Second
	maxFlushed     = 1000
	keyUseInterval = time.Minute
)

// usedKeys are the API keys that were used since this was last written down. Requests do not wait for that.
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

// Run writes down which API keys are in use, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	background.Every(ctx, flushInterval, &background.Outage{While: "writing down the use of API keys", Logger: s.logger}, s.FlushKeyUse)
}

// FlushKeyUse writes down that the API keys which this server has seen were used, a batch at a time. What cannot be written
// is kept for the next time.
func (s *Service) FlushKeyUse(ctx context.Context) error {
	var failed error
	for ids := range slices.Chunk(s.used.take(), maxFlushed) {
		err := s.store.UpdateAPIKeysLastUsed(ctx, sqlc.UpdateAPIKeysLastUsedParams{
			Ids: ids, IntervalSeconds: int32(keyUseInterval.Seconds()),
		})
		if err != nil {
			s.used.add(ids...)
			failed = cmp.Or(failed, err)
		}
	}
	return failed
}
