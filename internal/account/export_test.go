package account

import (
	"net/netip"

	"github.com/google/uuid"
)

const (
	MaxSessions     = maxSessions
	SessionLifetime = sessionLifetime
	SessionIdle     = sessionIdle
	RefreshBurst    = refreshBurst
	RefreshPace     = refreshPace
)

// NewRefreshToken returns a refresh token of the session, as Refresh does, and its stored hash.
func NewRefreshToken(s *Service, session uuid.UUID) (token string, hash []byte) {
	made := s.refreshTokens.make(session)
	return made.text, made.hash
}

// NetworkOf and ShortUserAgent return what the product stores of a client.
func NetworkOf(ip string) string {
	addr, _ := netip.ParseAddr(ip) // An invalid address becomes the zero address.
	return coarseNetworkOf(addr)
}

func ShortUserAgent(header string) string { return shortUserAgent(header) }

// CountHashes returns the number of hashes computed while f runs.
func CountHashes(s *Service, f func()) int64 {
	before := s.passwords.Computed()
	f()
	return s.passwords.Computed() - before
}
