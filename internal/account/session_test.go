package account_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// addAccount creates an account with the password.
func (b *bench) addAccount(t *testing.T, email string) sqlc.User {
	t.Helper()
	hash, err := hasher().Hash(t.Context(), "", password)
	require.NoError(t, err)
	return b.addUser(t, email, hash)
}

// logIn creates an account and a session.
func (b *bench) logIn(t *testing.T) (account.Tokens, auth.Actor) {
	t.Helper()
	tokens, err := b.LogIn(t.Context(), account.Client{}, b.addAccount(t, "ada@example.com").Email, password)
	require.NoError(t, err)
	actor, err := b.auth.Authenticate(t.Context(), tokens.Access)
	require.NoError(t, err)
	return tokens, actor
}

func TestLogInToADisabledAccountCostsTheSame(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.addAccount(t, "ada@example.com")
	older := b.addUser(t, "older@example.com", olderHash())
	storetest.Exec(t, b.url, "UPDATE users SET disabled_at = now()")
	_, wrong := b.LogIn(t.Context(), account.Client{}, "unknown@example.com", password)
	for _, email := range []string{user.Email, older.Email} {
		for _, attempt := range []string{password, password + "x"} {
			var err error
			hashes := account.CountHashes(b.Service, func() { _, err = b.LogIn(t.Context(), account.Client{}, email, attempt) })
			require.EqualValues(t, 1, hashes, "%s with %s", email, attempt)
			require.Equal(t, wrong, err)
		}
	}
	require.Equal(t, olderHash(), b.hashOf(t, older.ID), "the hash of a disabled account is not replaced")
	require.Zero(t, storetest.QueryInt(t, b.url, "SELECT count(*) FROM sessions"))
}

// If an account is disabled or its password changes while the old password is being checked, the log-in gets no
// session.
func TestAccountThatChangesDuringALogInGetsNoSession(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"disabled":         "UPDATE users SET disabled_at = now()",
		"password changed": "UPDATE users SET password_hash = 'the hash of another password'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			user := b.addAccount(t, "ada@example.com")
			storetest.Exec(t, b.url, change)
			id := uuid.Must(uuid.NewV7())
			_, hash := account.NewRefreshToken(b.Service, id)
			_, err := b.store.CreateSession(t.Context(), sqlc.CreateSessionParams{
				ID: id, UserID: user.ID, PasswordHash: user.PasswordHash, TokenHash: hash, IdleSeconds: 60,
			})
			require.Error(t, err)
			require.Zero(t, storetest.QueryInt(t, b.url, "SELECT count(*) FROM sessions"))
		})
	}
}

func TestOldestSessionEndsWhenAnAccountHasTooMany(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.addAccount(t, "ada@example.com")
	storetest.Exec(t, b.url, `INSERT INTO sessions (id, user_id, user_agent, client_network, token_hash, created_at, expires_at)
		SELECT gen_random_uuid(), $1, n::text, '', sha256(n::text::bytea), now() - make_interval(mins => n), now() + interval '1 day'
		FROM generate_series(1, $2::integer) AS n`, user.ID, account.MaxSessions)
	_, err := b.LogIn(t.Context(), account.Client{}, user.Email, password)
	require.NoError(t, err)
	require.Equal(t, account.MaxSessions, storetest.QueryInt(t, b.url, "SELECT count(*) FROM sessions"))
	require.Equal(t, account.MaxSessions-1, storetest.QueryInt(t, b.url, "SELECT max(nullif(user_agent, '')::integer) FROM sessions"))
}

func TestExpiredSessionsAreSwept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.addAccount(t, "ada@example.com")
	dead, err := b.LogIn(t.Context(), account.Client{}, user.Email, password)
	require.NoError(t, err)
	_, err = b.Refresh(t.Context(), dead.Refresh)
	require.NoError(t, err)
	storetest.Exec(t, b.url, "UPDATE sessions SET expires_at = clock_timestamp()")
	alive, err := b.LogIn(t.Context(), account.Client{}, user.Email, password)
	require.NoError(t, err)

	actor, err := b.auth.Authenticate(t.Context(), alive.Access)
	require.NoError(t, err)
	sessions, next, err := b.ListSessions(t.Context(), actor, page.Page{Limit: 10})
	require.NoError(t, err)
	require.Nil(t, next)
	require.Len(t, sessions, 1, "expired sessions are not listed, swept or not")

	require.NoError(t, b.Sweep(t.Context()))
	require.Equal(t, 1, storetest.QueryInt(t, b.url, "SELECT count(*) FROM sessions"))
	_, err = b.Refresh(t.Context(), alive.Refresh)
	require.NoError(t, err)
}

// A session is one row, however often it was refreshed, so ending it always costs the same.
func TestSessionWithALongHistoryIsOneRow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tokens, actor := b.logIn(t)
	var err error
	used := make([]string, 0, account.RefreshBurst)
	for range account.RefreshBurst - 1 {
		used = append(used, tokens.Refresh)
		tokens, err = b.Refresh(t.Context(), tokens.Refresh)
		require.NoError(t, err)
	}
	require.Equal(t, 1, storetest.QueryInt(t, b.url, "SELECT count(*) FROM sessions"))
	require.Zero(t, storetest.QueryInt(t, b.url, "SELECT count(*) FROM pg_constraint WHERE confrelid = 'sessions'::regclass"),
		"nothing else goes with a session")
	_, err = b.Refresh(t.Context(), used[len(used)/2])
	require.True(t, apperr.Is(err, apperr.TokenReuse), "%v", err)
	_, err = b.Refresh(t.Context(), tokens.Refresh)
	require.True(t, apperr.Is(err, apperr.InvalidToken), "%v", err)
	require.True(t, apperr.Is(b.auth.Recheck(t.Context(), actor), apperr.InvalidToken))
}

func TestRefreshesAreRateLimited(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tokens, _ := b.logIn(t)
	var err error
	storetest.Exec(t, b.url, "UPDATE sessions SET refresh_credit_at = clock_timestamp() + make_interval(secs => $1)",
		(time.Hour + (account.RefreshBurst-1)*account.RefreshPace).Seconds())
	_, err = b.Refresh(t.Context(), tokens.Refresh)
	require.True(t, apperr.Is(err, apperr.RateLimited), "%v", err)
	require.InDelta(t, time.Hour, apperr.From(err).RetryAfter, float64(time.Minute))

	storetest.Exec(t, b.url, "UPDATE sessions SET refresh_credit_at = clock_timestamp()")
	for range account.RefreshBurst {
		tokens, err = b.Refresh(t.Context(), tokens.Refresh)
		require.NoError(t, err, "the refusal did not end the session")
	}
}

// Only a genuine token ends a session; its id is not enough.
func TestForgedRefreshTokenEndsNoSession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tokens, actor := b.logIn(t)
	forger, _ := newService(t, b.store, account.Options{Secret: []byte("another secret of thirty-two bytes")})
	forged, _ := account.NewRefreshToken(forger, actor.SessionID)
	_, err := b.Refresh(t.Context(), forged)
	require.True(t, apperr.Is(err, apperr.InvalidToken), "%v", err)
	_, err = forger.Refresh(t.Context(), tokens.Refresh)
	require.NoError(t, err, "a session outlives the secret that signed its token")
}

func TestRefreshDuringAnOutageLosesNoSession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tokens, _ := b.logIn(t)
	b.store.Close()
	_, err := b.Refresh(t.Context(), tokens.Refresh)
	require.Error(t, err)
	require.False(t, apperr.Is(err, apperr.InvalidToken) || apperr.Is(err, apperr.TokenReuse), "%v", err)
}

func TestLifetimesOfSessions(t *testing.T) {
	t.Parallel()
	require.Equal(t, 30*24*time.Hour, account.SessionLifetime)
	require.Equal(t, 7*24*time.Hour, account.SessionIdle)
	require.Equal(t, 10*time.Second, account.RefreshPace)
}

func TestChangePasswordChecksTheRules(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.addAccount(t, "ada@example.com")
	session := b.signIn(t, user)
	actor := auth.Actor{ID: user.ID, Email: user.Email, Role: user.Role, SessionID: session}
	var err error
	for _, wrong := range []string{"", "short", strings.Repeat("x", 129), "password"} {
		require.Zero(t, account.CountHashes(b.Service, func() { err = b.ChangePassword(t.Context(), account.Client{}, actor, password, wrong) }))
		require.Equal(t, "/new_password", apperr.From(err).Fields[0].Pointer)
	}
	require.EqualValues(t, 1, account.CountHashes(b.Service, func() {
		err = b.ChangePassword(t.Context(), account.Client{}, actor, password+"x", "staple of another kind")
	}))
	require.True(t, apperr.Is(err, apperr.InvalidCredentials), "%v", err)
	require.Equal(t, user.PasswordHash, b.hashOf(t, user.ID))
	require.NoError(t, b.ChangePassword(t.Context(), account.Client{}, actor, password, "staple of another kind"))
	require.NotEqual(t, user.PasswordHash, b.hashOf(t, user.ID))
}

func TestOnlyTheNetworkOfAClientIsStored(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"203.0.113.7":           "203.0.113.0/24",
		"::ffff:203.0.113.7":    "203.0.113.0/24",
		"2001:db8:1:2:3:4:5:6":  "2001:db8:1::/48",
		"fe80::1%eth0":          "fe80::/48",
		"":                      "",
		"unknown":               "",
		"203.0.113.7:1234":      "",
		strings.Repeat("1", 99): "",
	} {
		require.Equal(t, want, account.NetworkOf(ip), ip)
	}
}

func TestUserAgentIsShortenedAndCleaned(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"":                       "",
		"DeskApp/2.1 (iOS)":      "DeskApp/2.1 (iOS)",
		"a\x00b\x1b[31m\r\nc":    "ab[31mc",
		"caf\u00e9 \xff\u202e x": "caf  x",
		strings.Repeat("x", 900): strings.Repeat("x", 200),
	} {
		require.Equal(t, want, account.ShortUserAgent(header))
	}
}

func TestLogInRacingAChangeOfPasswordLeavesNoSession(t *testing.T) {
	t.Parallel()
	const logIns, rounds = 6, 5
	b := newBench(t)
	for range rounds {
		user := b.addUser(t, uuid.NewString()+"@example.com", olderHash())
		session := b.signIn(t, user)
		actor := auth.Actor{ID: user.ID, Email: user.Email, Role: user.Role, SessionID: session}
		var running sync.WaitGroup
		for range logIns {
			running.Go(func() {
				_, err := b.LogIn(t.Context(), account.Client{}, user.Email, password)
				if err != nil && !apperr.Is(err, apperr.InvalidCredentials) && !apperr.Is(err, apperr.ServerBusy) {
					t.Errorf("a log-in failed: %v", err)
				}
			})
		}
		require.NoError(t, b.ChangePassword(t.Context(), account.Client{}, actor, password, "staple of another kind"))
		running.Wait()
		require.Equal(t, session.String(), storetest.QueryText(t, b.url,
			"SELECT string_agg(id::text, ' ') FROM sessions WHERE user_id = $1", user.ID), "the caller's own, and no other")
	}
}
