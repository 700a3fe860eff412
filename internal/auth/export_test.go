package auth

import (
	"context"
	"net/netip"

	"github.com/google/uuid"
)

const (
	MaxHashesWaiting = maxHashesWaiting
	MaxHashWait      = maxHashWait
	AccountTTL       = accountTTL
	MaxAccounts      = maxAccounts
	TokenLeeway      = tokenLeeway
	MaxTokenBytes    = maxTokenBytes
	MaxSessions      = maxSessions
	SessionLifetime  = sessionLifetime
	SessionIdle      = sessionIdle
	RefreshGrace     = refreshGrace
)

// PHC is a stored hash.
type PHC struct {
	Memory, Time uint32
	Lanes        uint8
	Salt, Key    []byte
}

// String is the hash as it is stored.
func (h PHC) String() string {
	return formatPHC(argon2Params{memory: h.Memory, time: h.Time, lanes: h.Lanes}, h.Salt, h.Key)
}

// ParsePHC reads a stored hash.
func ParsePHC(phc string) (PHC, error) {
	p, salt, key, err := parsePHC(phc)
	return PHC{Memory: p.memory, Time: p.time, Lanes: p.lanes, Salt: salt, Key: key}, err
}

// HashPassword and VerifyPassword are the service's own hasher.
func HashPassword(ctx context.Context, s *Service, password string) (string, error) {
	return s.hasher.hash(ctx, password)
}

func VerifyPassword(ctx context.Context, s *Service, password, phc string) (ok, outdated bool, err error) {
	return s.hasher.verify(ctx, password, phc)
}

// DummyHash is what passwords of unknown accounts are compared with.
func DummyHash(s *Service) string { return s.hasher.dummy }

// CommonPasswords is the list in its order.
func CommonPasswords() []string {
	list := make([]string, len(commonPasswords))
	for i, password := range commonPasswords {
		list[i] = string(password)
	}
	return list
}

// SignToken returns a token as LogIn does.
func SignToken(s *Service, subject, session uuid.UUID, version int32) (string, error) {
	return s.tokens.sign(subject, session, version)
}

// NewRefreshToken returns a refresh token and what of it is stored.
func NewRefreshToken() (token string, hash []byte, err error) { return newRefreshToken() }

// NetworkOf and ShortUserAgent are what is kept of a client.
func NetworkOf(ip string) string {
	addr, _ := netip.ParseAddr(ip) // What is no address is the zero one.
	return coarseNetworkOf(addr)
}

func ShortUserAgent(header string) string { return shortUserAgent(header) }

// Sweep deletes expired sessions once.
func Sweep(ctx context.Context, s *Service) error { return s.sweep(ctx) }

// OccupyHashSlots takes every place in which a hash is computed, until release is called.
func OccupyHashSlots(s *Service) (release func()) {
	places := cap(s.hasher.slots)
	for range places {
		s.hasher.slots <- struct{}{}
	}
	return func() {
		for range places {
			<-s.hasher.slots
		}
	}
}

// CountHashes returns how many hashes are computed while f runs. f must not compute two at once.
func CountHashes(s *Service, f func()) int {
	slots, end, counted := make(chan struct{}), make(chan struct{}), make(chan int)
	go func() {
		for n := 0; ; {
			select {
			case <-slots: // It takes its place,
				slots <- struct{}{} // and leaves it when it is computed.
				n++
			case <-end:
				counted <- n
				return
			}
		}
	}()
	before := s.hasher.slots
	s.hasher.slots = slots
	f()
	s.hasher.slots = before
	close(end)
	return <-counted
}

// FillAccountCache has the cache see more accounts than it holds, and returns how many it kept.
func FillAccountCache(s *Service) int {
	for range maxAccounts + 1 {
		s.sessions.put(uuid.New(), principal{}, s.sessions.now())
	}
	return len(s.sessions.entries)
}
