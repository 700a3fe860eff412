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

// NewRefreshToken returns a refresh token of the session as Refresh does, and what of it is stored.
func NewRefreshToken(s *Service, session uuid.UUID) (token string, hash []byte) {
	made := s.refreshTokens.make(session)
	return made.text, made.hash
}

// NetworkOf and ShortUserAgent are what is kept of a client.
func NetworkOf(ip string) string {
	addr, _ := netip.ParseAddr(ip) // What is no address is the zero one.
	return coarseNetworkOf(addr)
}

func ShortUserAgent(header string) string { return shortUserAgent(header) }

// CountHashes returns how many hashes are computed while f runs.
func CountHashes(s *Service, f func()) int64 {
	before := s.passwords.Computed()
	f()
	return s.passwords.Computed() - before
}
