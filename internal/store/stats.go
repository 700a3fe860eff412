package store

// PoolStats says how many connections a Store holds.
type PoolStats struct {
	// Acquired are in use, Idle are not, and Max is how many there may be.
	Acquired, Idle, Max int32
}

// PoolStats returns how many connections there are at the moment, reserved ones included.
func (s *Store) PoolStats() PoolStats {
	stat := s.db.pool.Stat()
	stats := PoolStats{Acquired: stat.AcquiredConns(), Idle: stat.IdleConns(), Max: stat.MaxConns()}
	if s.reserved.pool != s.db.pool {
		stat = s.reserved.pool.Stat()
		stats.Acquired += stat.AcquiredConns()
		stats.Idle += stat.IdleConns()
		stats.Max += stat.MaxConns()
	}
	return stats
}
