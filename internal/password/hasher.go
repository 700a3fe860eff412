// Package password hashes passwords with argon2id, and knows which are easy to guess.
//
//   - hasher.go computes a bounded number of hashes at a time;
//   - phc.go reads and writes them in the PHC string format;
//   - common.go knows the passwords that nobody may choose.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/supportbackend/support/internal/apperr"
)

// Cost is the cost of one hash (RFC 9106, section 3.1).
type Cost struct {
	// Memory is in KiB.
	Memory uint32
	Passes uint32
	Lanes  uint8
}

const (
	saltBytes = 16
	keyBytes  = 32

	// Each hash takes 19 MiB for about 30 ms. Running more at a time than there are processors takes more memory and no
	// less time.
	maxHashesWaiting = 64
	maxHashWait      = 2 * time.Second
	// maxWaitingOfNetwork bounds one network's places in the queue, to leave room for others.
	maxWaitingOfNetwork = maxHashesWaiting / 2
)

// Hasher computes argon2id hashes in the PHC string format, a bounded number at a time.
type Hasher struct {
	cost     Cost
	slots    chan struct{}
	computed atomic.Int64
	dummy    string

	mu sync.Mutex
	// waiting counts the requests of each network that wait for a slot, and queued all of them.
	waiting map[string]int
	queued  int
}

// NewHasher returns a Hasher that stores passwords at the given cost. It verifies hashes of any cost.
func NewHasher(cost Cost) *Hasher {
	h := &Hasher{cost: cost, slots: make(chan struct{}, max(2, runtime.GOMAXPROCS(0))), waiting: make(map[string]int)}
	random := make([]byte, saltBytes+keyBytes)
	_, _ = rand.Read(random) // It never fails.
	h.dummy = formatPHC(cost, random[:saltBytes], random[saltBytes:])
	return h
}

// normalize returns a password in the form in which it is hashed and compared: Unicode NFC, because keyboards compose
// the same letter differently.
func normalize(password string) string { return norm.NFC.String(password) }

// Dummy returns a hash that no password has. Verifying against it takes as long as for a wrong password, so the time
// does not reveal whether an account exists.
func (h *Hasher) Dummy() string { return h.dummy }

// Computed returns how many hashes have been computed.
func (h *Hasher) Computed() int64 { return h.computed.Load() }

// Hash returns the PHC string of the normalized password. It returns ServerBusy when too many requests are waiting, in
// all or from the network.
func (h *Hasher) Hash(ctx context.Context, network, password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // It never fails.
	key, err := h.derive(ctx, network, password, salt, h.cost, keyBytes)
	if err != nil {
		return "", err
	}
	return formatPHC(h.cost, salt, key), nil
}

// Verify compares the normalized password with a PHC string. outdated reports whether the string has another cost than
// Hash uses. It returns ServerBusy as Hash does.
func (h *Hasher) Verify(ctx context.Context, network, password, phc string) (ok, outdated bool, err error) {
	cost, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, false, err
	}
	got, err := h.derive(ctx, network, password, salt, cost, uint32(len(want))) //nolint:gosec // parsePHC bounds its length.
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, cost != h.cost, nil
}

func (h *Hasher) derive(
	ctx context.Context, network, password string, salt []byte, c Cost, size uint32,
) ([]byte, error) {
	if err := h.enter(ctx, network); err != nil {
		return nil, err
	}
	defer func() { <-h.slots }()
	h.computed.Add(1)
	return argon2.IDKey([]byte(normalize(password)), salt, c.Passes, c.Memory, c.Lanes, size), nil
}

func (h *Hasher) enter(ctx context.Context, network string) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	if !h.queue(network) {
		return errBusy()
	}
	defer h.leave(network)
	timer := time.NewTimer(maxHashWait)
	defer timer.Stop()
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return errBusy()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// queue takes a place in the queue, if there is one.
func (h *Hasher) queue(network string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.queued == maxHashesWaiting || h.waiting[network] == maxWaitingOfNetwork {
		return false
	}
	h.queued++
	h.waiting[network]++
	return true
}

func (h *Hasher) leave(network string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queued--
	h.waiting[network]--
	if h.waiting[network] == 0 {
		delete(h.waiting, network)
	}
}

func errBusy() error {
	return apperr.New(apperr.ServerBusy, "The server is checking too many passwords.").After(time.Second)
}
