package auth

import "github.com/google/uuid"

const (
	AccountTTL    = accountTTL
	MaxAccounts   = maxAccounts
	TokenLeeway   = tokenLeeway
	MaxTokenBytes = maxTokenBytes
)

// FillAccountCache puts more accounts into the cache than it holds, and returns how many it kept.
func FillAccountCache(s *Service) int {
	for range maxAccounts + 1 {
		s.sessions.put(uuid.New(), principal{}, s.sessions.now())
	}
	return len(s.sessions.entries)
}
