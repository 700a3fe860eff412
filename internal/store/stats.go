package store

// PoolStats says how many connections a Store holds.
type PoolStats struct {
	// Acquired are in use, Idle are not, and Max is how many there may be.
	Acquired, Idle, Max int32
}

// PoolStats returns how many connections there are at the moment.
func (s *Store) PoolStats() PoolStats {
	stat := s.pool.Stat()
	return PoolStats{Acquired: stat.AcquiredConns(), Idle: stat.IdleConns(), Max: stat.MaxConns()}
}
