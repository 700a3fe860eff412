package store

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// PoolStats says how many connections a Store holds, and what the wait for them has cost.
type PoolStats struct {
	// Acquired are in use, Idle are not, and Max is how many there may be.
	Acquired, Idle, Max int32
	// Waits is how often a caller has waited for a connection since the Store was opened, and Waited how long all of them
	// have waited.
	Waits  int64
	Waited time.Duration
}

// PoolStats returns how many connections there are at the moment, reserved ones included.
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
