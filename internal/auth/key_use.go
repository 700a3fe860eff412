package auth

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
)

const (
	// flushInterval is how often a server writes down which API keys were used, and keyUseInterval how often at most that is
	// written of one key.
	flushInterval  = 10 * time.Second
	keyUseInterval = time.Minute
)

// usedKeys are the API keys that were used since this was last written down. Requests do not wait for that.
type usedKeys struct {
	mu  sync.Mutex
	ids map[uuid.UUID]struct{}
}

func (u *usedKeys) add(id uuid.UUID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ids[id] = struct{}{}
}

func (u *usedKeys) take() []uuid.UUID {
	u.mu.Lock()
	defer u.mu.Unlock()
	ids := slices.Collect(maps.Keys(u.ids))
	clear(u.ids)
	return ids
}

// Run writes down every 10 seconds which API keys are in use, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.FlushKeyUse(ctx); err != nil && ctx.Err() == nil {
			s.logger.WarnContext(ctx, "use of API keys not written down", slog.Any("error", err))
		}
	}
}

// FlushKeyUse writes down that the API keys which this server has seen were used.
func (s *Service) FlushKeyUse(ctx context.Context) error {
	ids := s.used.take()
	if len(ids) == 0 {
		return nil
	}
	return s.store.UpdateAPIKeysLastUsed(ctx, sqlc.UpdateAPIKeysLastUsedParams{
		Ids: ids, IntervalSeconds: int32(keyUseInterval.Seconds()),
	})
}
