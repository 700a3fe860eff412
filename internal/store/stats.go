package store

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// PoolStats describes a Store's connections and the waits for them.
type PoolStats struct {
	// Acquired connections are in use, Idle ones are not, and Max is the limit.
	Acquired, Idle, Max int32
	// Waits is how often callers have waited for a connection since the Store was opened, and Waited how long in all.
	Waits  int64
	Waited time.Duration
}

// PoolStats returns the current state of the connections, reserved ones included.
func (s *Store) PoolStats() PoolStats {
	var stats PoolStats
	stats.add(s.db.pool.Stat())
	if s.reserved.pool != s.db.pool {
		stats.add(s.reserved.pool.Stat())
	}
	return stats
}

func (s *PoolStats) add(stat *pgxpool.Stat) {
	s.Acquired += stat.AcquiredConns()
	s.Idle += stat.IdleConns()
	s.Max += stat.MaxConns()
	s.Waits += stat.EmptyAcquireCount()
	s.Waited += stat.EmptyAcquireWaitTime()
}
