package store

import "time"

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
	stats.add(s.db.queue)
	if s.reserved.pool != s.db.pool {
		stats.add(s.reserved.queue)
	}
	return stats
}

func (s *PoolStats) add(q *queue) {
	stat := q.pool.Stat()
	s.Acquired += stat.AcquiredConns()
	s.Idle += stat.IdleConns()
	s.Max += stat.MaxConns()
	s.Waits += q.waits.Load()
	s.Waited += time.Duration(q.waited.Load())
}
