package account_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// somewhere is a client for tests in which the address does not matter.
var somewhere = session.Client{Addr: netip.MustParseAddr("192.0.2.1")}

// limitsOfAServer returns the default limits of a server.
func limitsOfAServer() account.Limits {
	d := config.Defaults()
	return account.Limits{FailedLogIns: d.FailedLogIns, NetworkFailedLogIns: d.LogInLimit, SignUps: d.SignUpLimit}
}

// limited returns services on one database, like replicas, with the default limits.
func limited(t *testing.T, replicas int) (services []*account.Service, url string) {
	t.Helper()
	url, _ = storetest.Lend(t)
	for range replicas {
		s, _, _ := newService(t, storetest.Open(t, url), account.Options{Secret: []byte(secret), Limits: limitsOfAServer()})
		services = append(services, s)
	}
	return services, url
}

// requireTooMany checks that the error is the refusal, with a wait within the bounds.
func requireTooMany(t *testing.T, err error, least, most time.Duration) {
	t.Helper()
	require.True(t, apperr.Is(err, apperr.TooManyAttempts), "%v", err)
	require.GreaterOrEqual(t, apperr.From(err).RetryAfter, least)
	require.LessOrEqual(t, apperr.From(err).RetryAfter, most)
}

func TestSixthAttemptIsRefusedWithoutAHash(t *testing.T) {
	t.Parallel()
	replicas, url := limited(t, 3)
	_, err := replicas[0].Create(t.Context(), nil, account.NewAccount{Email: "ada@example.com", Password: password, Role: sqlc.UserRoleUser})
	require.NoError(t, err)
	for _, email := range []string{"ada@example.com", "nobody@example.com", "not an address"} {
		for i := range 5 {
			_, err := replicas[i%3].LogIn(t.Context(), somewhere, email, "wrong")
			require.True(t, apperr.Is(err, apperr.InvalidCredentials), "%v", err)
		}
		for i := range 3 {
			var err error
			hashes := account.CountHashes(replicas[i], func() {
				_, err = replicas[i].LogIn(t.Context(), session.Client{Addr: netip.MustParseAddr("192.0.2.200")}, email, password)
			})
			requireTooMany(t, err, 14*time.Minute, 15*time.Minute)
			require.Zero(t, hashes, "even the right password is refused without a hash")
		}
	}
	for _, elsewhere := range []string{"192.0.3.1", "2001:db8::1"} {
		_, err = replicas[0].LogIn(t.Context(), session.Client{Addr: netip.MustParseAddr(elsewhere)}, " ADA@example.com"[1:], password)
		require.NoError(t, err, "the owner can still log in from %s", elsewhere)
	}
	_, err = replicas[1].LogIn(t.Context(), session.Client{Addr: netip.MustParseAddr("::ffff:192.0.2.7")}, "Ada@Example.com", password)
	requireTooMany(t, err, 14*time.Minute, 15*time.Minute)
	table := storetest.QueryText(t, url, "SELECT string_agg(a::text, ' ') FROM attempts AS a")
	for _, canary := range []string{"ada", "192.0.", "2001:db8"} {
		require.NotContains(t, table, canary)
	}
	storetest.Exec(t, url, "UPDATE attempts SET counted_at = ARRAY(SELECT u - interval '15 minutes' FROM unnest(counted_at) AS u)")
	_, err = replicas[2].LogIn(t.Context(), somewhere, "ada@example.com", password)
	require.NoError(t, err, "a quarter of an hour later")
}

// isBusy reports whether the server was too busy for the attempt, which then does not count.
func isBusy(err error) bool {
	return apperr.Is(err, apperr.ServerBusy) || apperr.Is(err, apperr.DBBusy)
}

func TestParallelGuessesAreLimitedToFive(t *testing.T) {
	t.Parallel()
	const guesses = 60
	replicas, url := limited(t, 3)
	var wrong, refused, busy atomic.Int32
	guess := func(i int) {
		_, err := replicas[i%3].LogIn(t.Context(), somewhere, "ada@example.com", "wrong")
		switch {
		case apperr.Is(err, apperr.InvalidCredentials):
			wrong.Add(1)
		case apperr.Is(err, apperr.TooManyAttempts):
			refused.Add(1)
		case isBusy(err):
			busy.Add(1)
		}
	}
	var wg sync.WaitGroup
	for i := range guesses {
		wg.Go(func() { guess(i) })
	}
	wg.Wait()
	require.LessOrEqual(t, wrong.Load(), int32(5))
	for i := 0; i < guesses && wrong.Load() < 5; i++ {
		guess(i) // The server was too busy: try again.
	}
	before := refused.Load()
	guess(0)
	require.Equal(t, int32(5), wrong.Load())
	require.Equal(t, before+1, refused.Load())
	require.Positive(t, before)
	require.Equal(t, 5, storetest.QueryInt(t, url, "SELECT min(cardinality(counted_at)) FROM attempts"))
}

func TestSuccessfulLogInResetsTheCounter(t *testing.T) {
	t.Parallel()
	replicas, url := limited(t, 1)
	s := replicas[0]
	_, err := s.Create(t.Context(), nil, account.NewAccount{Email: "ada@example.com", Password: password, Role: sqlc.UserRoleUser})
	require.NoError(t, err)
	for range 3 {
		for range 4 {
			_, err := s.LogIn(t.Context(), somewhere, "ada@example.com", "wrong")
			require.True(t, apperr.Is(err, apperr.InvalidCredentials), "%v", err)
		}
		_, err := s.LogIn(t.Context(), somewhere, "ada@example.com", password)
		require.NoError(t, err)
	}
	require.Equal(t, 12, storetest.QueryInt(t, url, "SELECT sum(cardinality(counted_at)) FROM attempts"), "only the attempts of the network are left")
}

// Attempts without a result do not count, because many programs may log in to one account at the same time.
func TestRightPasswordsInParallelAreNotRefused(t *testing.T) {
	t.Parallel()
	replicas, url := limited(t, 1)
	_, err := replicas[0].Create(t.Context(), nil, account.NewAccount{Email: "ada@example.com", Password: password, Role: sqlc.UserRoleUser})
	require.NoError(t, err)
	errs := make([]error, 300)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = replicas[0].LogIn(t.Context(), somewhere, "ada@example.com", password) })
	}
	wg.Wait()
	for _, err := range errs {
		if !isBusy(err) {
			require.NoError(t, err)
		}
	}
	require.Zero(t, storetest.QueryInt(t, url, "SELECT count(*) FROM attempts"))
}

// Parallel attempts reveal no more than sequential ones: after the fifth wrong one, not even that a password is right.
func TestParallelAttemptsCannotBypassTheLimit(t *testing.T) {
	t.Parallel()
	replicas, url := limited(t, 1)
	_, err := replicas[0].Create(t.Context(), nil, account.NewAccount{Email: "ada@example.com", Password: password, Role: sqlc.UserRoleUser})
	require.NoError(t, err)
	for range 4 {
		_, err := replicas[0].LogIn(t.Context(), somewhere, "ada@example.com", "wrong")
		require.True(t, apperr.Is(err, apperr.InvalidCredentials), "%v", err)
	}
	db, right := storetest.Open(t, url), make(chan error, 1)
	require.NoError(t, db.InTx(t.Context(), func(ctx context.Context) error {
		for text := range strings.FieldsSeq(storetest.QueryText(t, url, "SELECT string_agg(encode(key, 'hex'), ' ') FROM attempts")) {
			key, err := hex.DecodeString(text)
			require.NoError(t, err)
			_, err = db.RecordAttempt(ctx, sqlc.RecordAttemptParams{Key: key, WindowSeconds: 900, MaxAttempts: 100})
			require.NoError(t, err)
		}
		go func() {
			_, err := replicas[0].LogIn(t.Context(), somewhere, "ada@example.com", password)
			right <- err
		}()
		// Four wrong attempts are counted; the right one comes after the fifth.
		require.Eventually(t, func() bool {
			return storetest.QueryInt(t, url, "SELECT count(*) FROM pg_locks WHERE NOT granted") > 0
		}, time.Minute, 5*time.Millisecond)
		return nil
	}))
	requireTooMany(t, <-right, 14*time.Minute, 15*time.Minute)
	require.Zero(t, storetest.QueryInt(t, url, "SELECT count(*) FROM sessions"))
}

func TestFailedLogInsPerNetworkAreLimited(t *testing.T) {
	t.Parallel()
	replicas, url := limited(t, 2)
	_, err := replicas[0].Create(t.Context(), nil, account.NewAccount{Email: "ada@example.com", Password: password, Role: sqlc.UserRoleUser})
	require.NoError(t, err)
	network := limitsOfAServer().NetworkFailedLogIns
	for i := range network {
		client := session.Client{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}
		_, err := replicas[i%2].LogIn(t.Context(), client, fmt.Sprintf("nobody-%d@example.com", i), "wrong")
		require.True(t, apperr.Is(err, apperr.InvalidCredentials), "%v", err)
	}
	hashes := account.CountHashes(replicas[1], func() { _, err = replicas[1].LogIn(t.Context(), somewhere, "ada@example.com", password) })
	requireTooMany(t, err, 14*time.Minute, 15*time.Minute)
	require.Zero(t, hashes)
	_, err = replicas[0].LogIn(t.Context(), session.Client{Addr: netip.MustParseAddr("192.0.3.1")}, "ada@example.com", password)
	require.NoError(t, err, "other networks are not affected")
	require.Equal(t, network, storetest.QueryInt(t, url, "SELECT max(cardinality(counted_at)) FROM attempts"))
}

func TestEleventhSignUpOfAnAddressIsRefused(t *testing.T) {
	t.Parallel()
	replicas, url := limited(t, 2)
	sign := func(i int, client, email string) error {
		_, err := replicas[i%2].SignUp(t.Context(), session.Client{Addr: netip.MustParseAddr(client)}, account.NewAccount{Email: email, Password: password, Role: sqlc.UserRoleUser})
		return err
	}
	require.True(t, apperr.Is(sign(0, "192.0.2.1", "no address"), apperr.ValidationFailed), "an invalid sign-up does not count")
	require.NoError(t, sign(0, "192.0.2.1", "ada@example.com"))
	for i := range 9 {
		require.True(t, apperr.Is(sign(i, "192.0.2.1", "ada@example.com"), apperr.EmailTaken))
	}
	requireTooMany(t, sign(0, "192.0.2.1", "eve@example.com"), 59*time.Minute, time.Hour)
	requireTooMany(t, sign(1, "::ffff:192.0.2.1", "eve@example.com"), 59*time.Minute, time.Hour)
	require.NoError(t, sign(1, "192.0.2.2", "bob@example.com"), "a neighbour")
	require.Equal(t, 2, storetest.QueryInt(t, url, "SELECT count(*) FROM users"))

	for i := range 10 {
		_ = sign(i, "2001:db8::"+string(rune('1'+i%9)), "ada@example.com")
	}
	requireTooMany(t, sign(0, "2001:db8::ffff:1:2:3", "eve@example.com"), 59*time.Minute, time.Hour)
	require.True(t, apperr.Is(sign(0, "2001:db8:0:1::1", "ada@example.com"), apperr.EmailTaken), "another /64")
}

func TestOldCountersAreDeletedInBatches(t *testing.T) {
	t.Parallel()
	replicas, url := limited(t, 1)
	storetest.Exec(t, url, `INSERT INTO attempts (key, counted_at, expires_at)
		SELECT sha256(n::text::bytea), '{}', now() - n * interval '1 second' FROM generate_series(1, 1200) AS n`)
	storetest.Exec(t, url, `INSERT INTO attempts (key, counted_at, expires_at)
		SELECT sha256(n::text::bytea), '{}', now() + interval '1 minute' FROM generate_series(1201, 1210) AS n`)
	require.NoError(t, replicas[0].Sweep(t.Context()))
	require.Equal(t, 10, storetest.QueryInt(t, url, "SELECT count(*) FROM attempts"))
}

// A row that cannot be deleted does not block the others.
func TestSweepContinuesPastAFailingRow(t *testing.T) {
	t.Parallel()
	replicas, url := limited(t, 1)
	storetest.Exec(t, url, `INSERT INTO attempts (key, counted_at, expires_at)
		SELECT sha256(n::text::bytea), '{}', now() - n * interval '1 second' FROM generate_series(1, 1200) AS n`)
	storetest.Exec(t, url, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'broken on purpose'; END $$`)
	storetest.Exec(t, url, `CREATE TRIGGER refuse BEFORE DELETE ON attempts FOR EACH ROW
		WHEN (OLD.key IN (sha256('1200'), sha256('77'))) EXECUTE FUNCTION refuse()`)
	require.Error(t, replicas[0].Sweep(t.Context()))
	require.Equal(t, 2, storetest.QueryInt(t, url, "SELECT count(*) FROM attempts"))
}
