package session

import (
	"net/netip"

	"github.com/google/uuid"
)

const (
	MaxSessions  = maxSessions
	MaxLifetime  = maxLifetime
	MaxIdle      = maxIdle
	RefreshBurst = refreshBurst
	RefreshPace  = refreshPace
)

// NewRefreshToken returns a refresh token of the session, as Refresh does.
func NewRefreshToken(s *Service, session uuid.UUID) string { return s.refreshTokens.make(session).text }

// NetworkOf and ShortUserAgent return what the product stores of a client.
func NetworkOf(ip string) string {
	addr, _ := netip.ParseAddr(ip) // An invalid address becomes the zero address.
	return Client{Addr: addr}.storedNetwork()
}

func ShortUserAgent(header string) string { return shortUserAgent(header) }
