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

// Cost is what one hash takes (RFC 9106, section 3.1).
type Cost struct {
	// Memory is in KiB.
	Memory uint32
	Passes uint32
	Lanes  uint8
}

const (
	saltBytes = 16
	keyBytes  = 32

	// Each hash takes 19 MiB for about 30 ms. More of them at once than there are processors only take longer, and
	// the memory of all of them together.
	maxHashesWaiting = 64
	maxHashWait      = 2 * time.Second
	// maxWaitingOfNetwork of the places in the queue are for one network, so that the rest is left to others.
	maxWaitingOfNetwork = maxHashesWaiting / 2
)

// Hasher computes argon2id hashes in the PHC string format, a bounded number at a time.
type Hasher struct {
	cost     Cost
	slots    chan struct{}
	computed atomic.Int64
	dummy    string

	mu sync.Mutex
	// waiting is how many of each network wait for a slot, and queued how many of all.
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

// normalize returns the one form in which a password is hashed and compared: Unicode NFC. Keyboards differ in how they compose
// the same letter.
func normalize(password string) string { return norm.NFC.String(password) }

// Dummy is a hash that no password has. Verifying against it takes as long as verifying a wrong password, so the
// duration does not tell that an account does not exist.
func (h *Hasher) Dummy() string { return h.dummy }

// Computed returns how many hashes have been computed.
func (h *Hasher) Computed() int64 { return h.computed.Load() }

// Hash returns the PHC string of the password, in its normal form. It returns ServerBusy when too many are waiting: all
// together, or those of the network that asks for it.
func (h *Hasher) Hash(ctx context.Context, network, password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // It never fails.
	key, err := h.derive(ctx, network, password, salt, h.cost, keyBytes)
	if err != nil {
		return "", err
	}
	return formatPHC(h.cost, salt, key), nil
}

// Verify compares the password, in its normal form, with a PHC string. outdated reports whether the string has another cost
// than Hash gives. It returns ServerBusy as Hash does.
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

// queue takes a place in the queue, if there is one for the network.
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
	return apperr.New(apperr.ServerBusy, "Too many passwords are being checked.").After(time.Second)
}
