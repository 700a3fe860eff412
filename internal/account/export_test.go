package account

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// EraseUntil erases a customer's data until the time.
func EraseUntil(ctx context.Context, s *Service, id uuid.UUID, until time.Time) error {
	return s.erase(ctx, id, until)
}

// CountHashes returns the number of hashes computed while f runs.
func CountHashes(s *Service, f func()) int64 {
	before := s.passwords.Computed()
	f()
	return s.passwords.Computed() - before
}
