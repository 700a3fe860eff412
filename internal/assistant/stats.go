package assistant

// Running is how many answers this replica is writing.
func (s *Service) Running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.owners)
}
