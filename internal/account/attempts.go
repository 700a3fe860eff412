package account

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/store"
)

// Limits bound how often strangers may try something, over all replicas. Zero means no limit.
type Limits struct {
	// FailedLogIns limits the wrong passwords for one e-mail address from one network, a /24 of IPv4 or a /64 of IPv6,
	// within 15 minutes. The owner can still log in from other networks.
	FailedLogIns int
	// NetworkFailedLogIns limits the wrong passwords from one network within 15 minutes, for all e-mail addresses
	// together.
	NetworkFailedLogIns int
	// SignUps limits the sign-ups from one client address, or one /64 of IPv6, within an hour.
	SignUps int
}

const (
	logInWindow  = 15 * time.Minute
	signUpWindow = time.Hour

	// countTimeout bounds how long it may take to count an attempt.
	countTimeout = 2 * time.Second
)

// attempts counts strangers' attempts in the database, so that all replicas count together.
type attempts struct {
	store *store.Store
	// key hashes the names of rows, so that the table holds no e-mail addresses.
	key []byte
}

func newAttempts(s *store.Store, secret []byte) *attempts {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("support: attempts"))
	return &attempts{store: s, key: mac.Sum(nil)}
}

// tally counts one party's attempts of one kind. It counts each attempt when it ends, and an attempt learns its result
// only if the limit is not yet reached. So parallel attempts learn no more than sequential ones, and correct ones block
// nobody. The nil tally counts and refuses nothing.
type tally struct {
	*attempts
	name   []byte
	limit  int32
	window int32
}

func (a *attempts) of(limit int, window time.Duration, who ...string) *tally {
	if limit == 0 {
		return nil
	}
	mac := hmac.New(sha256.New, a.key)
	for _, part := range who {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	return &tally{
		attempts: a, name: mac.Sum(nil), window: int32(window.Seconds()),
		limit: int32(limit), //nolint:gosec // The settings bound it.
	}
}

// check returns TooManyAttempts when the limit is reached.
func (t *tally) check(ctx context.Context) error {
	if t == nil {
		return nil
	}
	wait, err := t.store.GetAttemptsWait(ctx, sqlc.GetAttemptsWaitParams{
		Key: t.name, WindowSeconds: t.window, MaxAttempts: t.limit,
	})
	switch {
	case errors.Is(err, store.ErrNoRows):
		return nil
	case err != nil:
		return err
	default:
		return tooManyAttempts(time.Duration(wait * float64(time.Second)))
	}
}

// count counts an attempt, even if the client is gone. It returns TooManyAttempts when the limit was reached: then the
// client must not learn the result.
func (t *tally) count(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countTimeout)
	defer cancel()
	counted, err := t.store.RecordAttempt(ctx, sqlc.RecordAttemptParams{
		Key: t.name, WindowSeconds: t.window, MaxAttempts: t.limit,
	})
	if err != nil || counted > 0 {
		return err
	}
	if err := t.check(ctx); err != nil {
		return err
	}
	return tooManyAttempts(0) // An older attempt has just expired.
}

// clear resets the counter. It returns TooManyAttempts when the limit is reached: then the client must not learn the
// result.
func (t *tally) clear(ctx context.Context) error {
	if t == nil {
		return nil
	}
	cleared, err := t.store.DeleteAttempts(ctx, sqlc.DeleteAttemptsParams{
		Key: t.name, WindowSeconds: t.window, MaxAttempts: t.limit,
	})
	if err != nil || cleared > 0 {
		return err
	}
	return t.check(ctx)
}

func tooManyAttempts(wait time.Duration) error {
	return apperr.New(apperr.TooManyAttempts, "Too many attempts. Wait before the next one.").
		After(max(time.Second, wait))
}

// guesses counts the wrong passwords from a network: for one account, and for all of them.
type guesses struct{ account, network *tally }

func (s *Service) guesses(client session.Client, address string) guesses {
	network := networkOf(client)
	return guesses{
		account: s.attempts.of(s.limits.FailedLogIns, logInWindow, "log-in", address, network),
		network: s.attempts.of(s.limits.NetworkFailedLogIns, logInWindow, "log-ins", network),
	}
}

func (g guesses) check(ctx context.Context) error {
	if err := g.account.check(ctx); err != nil {
		return err
	}
	return g.network.check(ctx)
}

// wrong counts a wrong password. It returns InvalidCredentials or TooManyAttempts, for the client.
func (g guesses) wrong(ctx context.Context) error {
	if err := g.account.count(ctx); err != nil {
		return err
	}
	if err := g.network.count(ctx); err != nil {
		return err
	}
	return invalidCredentials()
}

// right resets the counter of the account, but not that of the network. It returns TooManyAttempts when wrong passwords
// have reached the limit in the meantime: then the client must not learn that this one is right.
func (g guesses) right(ctx context.Context) error {
	if err := g.network.check(ctx); err != nil {
		return err
	}
	return g.account.clear(ctx)
}

// networkOf returns the network that log-ins count for, and addressOf the client that sign-ups count for: an IPv6
// subscriber has at least a /64.
func networkOf(c session.Client) string { return c.Network(24, 64) }

func addressOf(c session.Client) string { return c.Network(32, 64) }
