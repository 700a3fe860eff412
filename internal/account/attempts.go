package account

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/netip"
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
	// NetworkFailedLogIns is how many wrong passwords may come from one network within 15 minutes, whatever the address.
	NetworkFailedLogIns int
	// SignUps is how many accounts one client address, or one /64 of IPv6, may ask for within an hour.
	SignUps int
}

const (
	logInWindow  = 15 * time.Minute
	signUpWindow = time.Hour

	// countTimeout bounds how long it may take to count an attempt.
	countTimeout = 2 * time.Second
)

// attempts counts what strangers try, in the database, so that all replicas count together.
type attempts struct {
	store *store.Store
	// key makes a row's name of who tries: an e-mail address does not stand in the table.
	key []byte
}

func newAttempts(s *store.Store, secret []byte) *attempts {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("support: attempts"))
	return &attempts{store: s, key: mac.Sum(nil)}
}

// tally counts one party's attempts of one kind. Attempts under way do not count: each is counted at its end, and only the
// answers of those that still have a place are given. So attempts in parallel learn no more than attempts in turn do, and
// right ones are in nobody's way. The nil tally counts nothing and refuses nothing.
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
		attempts: a, name: mac.Sum(nil), window: seconds(window),
		limit: int32(limit), //nolint:gosec // The settings bound it.
	}
}

// check returns TooManyAttempts when there is no place for another attempt.
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

// count counts an attempt, also when the caller has gone meanwhile. It returns TooManyAttempts when there was no place for
// it: its result must not be told.
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
	return tooManyAttempts(0) // A place became free just now.
}

// clear forgets the attempts that were counted. It returns TooManyAttempts when there is no place for another one: the
// result must not be told.
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

// guesses counts the wrong passwords that come from a network: for one account, and for all together.
type guesses struct{ account, network *tally }

func (s *Service) guesses(client Client, address string) guesses {
	network := networkOf(client.Addr)
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

// wrong counts a wrong password. It returns what the caller is told: InvalidCredentials or TooManyAttempts.
func (g guesses) wrong(ctx context.Context) error {
	if err := g.account.count(ctx); err != nil {
		return err
	}
	if err := g.network.count(ctx); err != nil {
		return err
	}
	return invalidCredentials()
}

// right forgets the wrong passwords for the account. Those for others still count. It returns TooManyAttempts when there
// have been so many meanwhile that nobody is told of a right one.
func (g guesses) right(ctx context.Context) error {
	if err := g.network.check(ctx); err != nil {
		return err
	}
	return g.account.clear(ctx)
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
