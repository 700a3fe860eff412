package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
)

// Limits are how often strangers may try something, on all replicas together. Zero is without a limit.
type Limits struct {
	// FailedLogIns is how many wrong passwords for one e-mail address may come from one network, a /24 of IPv4 or a /64
	// of IPv6, within 15 minutes. The owner can still log in from any other.
	FailedLogIns int
	// SignUps is how many accounts one client address, or one /64 of IPv6, may ask for within an hour.
	SignUps int
}

// DefaultLimits are the limits that a server has unless it is told otherwise.
func DefaultLimits() Limits { return Limits{FailedLogIns: 5, SignUps: 10} }

const (
	logInWindow  = 15 * time.Minute
	signUpWindow = time.Hour

	// settleTimeout bounds how long the end of an attempt may take to be recorded.
	settleTimeout = 2 * time.Second

	// Old counters are deleted at most this often by a replica, and this many at once: more than it can make meanwhile.
	attemptSweepInterval = time.Second
	maxAttemptsSwept     = 500
)

// attempts counts what strangers try, in the database, so that all replicas count together.
type attempts struct {
	store *store.Store
	// key makes a row's name of who tries: an e-mail address does not stand in the table.
	key   []byte
	swept atomic.Int64 // Unix nanoseconds
}

func newAttempts(s *store.Store, secret []byte) *attempts {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("support: attempts"))
	return &attempts{store: s, key: mac.Sum(nil)}
}

// attempt is one try that has its place among those that are allowed, and that is yet to end. Nil is one that nobody
// counts.
type attempt struct {
	*attempts
	name   []byte
	window int32
}

// outcome is how an attempt ended.
type outcome int

const (
	// undecided is the end of an attempt that was broken off: it counts for nothing.
	undecided outcome = iota
	// counts is the end that is limited.
	counts
	// clears is the end that makes good for all before it.
	clears
)

// begin takes a place for an attempt before anything is done for it, so that attempts in parallel get no more than their
// number. It returns TooManyAttempts.
func (a *attempts) begin(ctx context.Context, limit int, window time.Duration, who ...string) (*attempt, error) {
	if limit == 0 {
		return nil, nil
	}
	mac := hmac.New(sha256.New, a.key)
	for _, part := range who {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	try := &attempt{attempts: a, name: mac.Sum(nil), window: int32(window.Seconds())}
	reserved, err := a.store.ReserveAttempt(ctx, sqlc.ReserveAttemptParams{
		Key: try.name, WindowSeconds: try.window, MaxAttempts: int32(limit), //nolint:gosec // The settings bound it.
	})
	if err != nil {
		return nil, err
	}
	if reserved == 0 {
		return nil, try.refusal(ctx, limit)
	}
	return try, nil
}

func (t *attempt) refusal(ctx context.Context, limit int) error {
	seconds, err := t.store.GetAttemptsWait(ctx, sqlc.GetAttemptsWaitParams{
		Key: t.name, WindowSeconds: t.window, MaxAttempts: int32(limit), //nolint:gosec // The settings bound it.
	})
	if err != nil && !errors.Is(err, store.ErrNoRows) {
		return err
	}
	refusal := apperr.New(apperr.TooManyAttempts, "Too many attempts. Wait before the next one.")
	refusal.RetryAfter = max(time.Second, time.Duration(seconds*float64(time.Second)))
	return refusal
}

// end says how the attempt ended, also when the caller has gone meanwhile. An end that cannot be recorded leaves the
// attempt's place taken until the window is over.
func (t *attempt) end(ctx context.Context, o outcome) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	t.sweep(ctx)
	if o == clears {
		_ = t.store.DeleteAttempts(ctx, t.name)
		return
	}
	_ = t.store.SettleAttempt(ctx, sqlc.SettleAttemptParams{Key: t.name, WindowSeconds: t.window, Counts: o == counts})
}

// sweep deletes a batch of counters that count no more, if that was not done just now.
func (a *attempts) sweep(ctx context.Context) {
	last, now := a.swept.Load(), time.Now().UnixNano()
	if now-last < int64(attemptSweepInterval) || !a.swept.CompareAndSwap(last, now) {
		return
	}
	// What is left over is deleted the next time.
	_, _ = a.store.DeleteOldAttempts(ctx, maxAttemptsSwept)
}

// networkOf is the network that log-ins are counted for, and addressOf the client that sign-ups are: in IPv6 a subscriber
// has a /64 at least. coarseNetworkOf is what is kept of a session's client: enough to tell one's own sessions apart.
func networkOf(client netip.Addr) string { return prefixOf(client, 24, 64) }

func addressOf(client netip.Addr) string { return prefixOf(client, 32, 64) }

func coarseNetworkOf(client netip.Addr) string { return prefixOf(client, 24, 48) }

func prefixOf(client netip.Addr, bits4, bits6 int) string {
	client = client.Unmap().WithZone("")
	bits := bits6
	if client.Is4() {
		bits = bits4
	}
	prefix, err := client.Prefix(bits)
	if err != nil || !client.IsValid() {
		return "" // There is no address: all who have none are one.
	}
	return prefix.String()
}
