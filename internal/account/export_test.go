package account

// CountHashes returns the number of hashes computed while f runs.
func CountHashes(s *Service, f func()) int64 {
	before := s.passwords.Computed()
	f()
	return s.passwords.Computed() - before
}
