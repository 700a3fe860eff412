package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const secret = "a secret that only tests know, 32 bytes and more"

// fixture is a Service on the test's own database.
type fixture struct {
	*session.Service
	auth  *auth.Service
	url   string
	store *store.Store
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	b := &fixture{}
	b.url, b.store = storetest.Lend(t)
	var err error
	b.auth, err = auth.NewService(b.store, auth.Options{Secret: []byte(secret), TokenTTL: config.Defaults().AccessTokenTTL()})
	require.NoError(t, err)
	b.Service = newService(t, b.store, b.auth, secret)
	return b
}

func newService(t *testing.T, s *store.Store, a *auth.Service, secret string) *session.Service {
	t.Helper()
	sessions, err := session.NewService(s, a, session.Options{Secret: []byte(secret)})
	require.NoError(t, err)
	return sessions
}

func (b *fixture) addUser(t *testing.T) sqlc.User {
	t.Helper()
	user, err := b.store.CreateUser(t.Context(), sqlc.CreateUserParams{
		ID: uuid.Must(uuid.NewV7()), Email: "ada@example.com", PasswordHash: "a hash", Role: sqlc.UserRoleUser,
	})
	require.NoError(t, err)
	return sqlc.User(user)
}

// logIn creates an account and a session.
func (b *fixture) logIn(t *testing.T) (session.Tokens, auth.Actor) {
	t.Helper()
	tokens, err := b.Open(t.Context(), b.addUser(t), session.Client{})
	require.NoError(t, err)
	actor, err := b.auth.Authenticate(t.Context(), tokens.Access)
	require.NoError(t, err)
	return tokens, actor
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
			b := newFixture(t)
			user := b.addUser(t)
			storetest.Exec(t, b.url, change)
			_, err := b.Open(t.Context(), user, session.Client{})
			require.ErrorIs(t, err, store.ErrNoRows)
			require.Zero(t, storetest.QueryInt(t, b.url, "SELECT count(*) FROM sessions"))
		})
	}
}

func TestOldestSessionEndsWhenAnAccountHasTooMany(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addUser(t)
	storetest.Exec(t, b.url, `INSERT INTO sessions (id, user_id, user_agent, client_network, token_hash, created_at, expires_at)
		SELECT gen_random_uuid(), $1, n::text, '', sha256(n::text::bytea), now() - make_interval(mins => n), now() + interval '1 day'
		FROM generate_series(1, $2::integer) AS n`, user.ID, session.MaxSessions)
	_, err := b.Open(t.Context(), user, session.Client{})
	require.NoError(t, err)
	require.Equal(t, session.MaxSessions, storetest.QueryInt(t, b.url, "SELECT count(*) FROM sessions"))
	require.Equal(t, session.MaxSessions-1, storetest.QueryInt(t, b.url, "SELECT max(nullif(user_agent, '')::integer) FROM sessions"))
}

func TestExpiredSessionsAreSwept(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addUser(t)
	dead, err := b.Open(t.Context(), user, session.Client{})
	require.NoError(t, err)
	_, err = b.Refresh(t.Context(), dead.Refresh)
	require.NoError(t, err)
	storetest.Exec(t, b.url, "UPDATE sessions SET expires_at = clock_timestamp()")
	alive, err := b.Open(t.Context(), user, session.Client{})
	require.NoError(t, err)

	actor, err := b.auth.Authenticate(t.Context(), alive.Access)
	require.NoError(t, err)
	sessions, next, err := b.List(t.Context(), actor, page.Page{Limit: 10})
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
	b := newFixture(t)
	tokens, actor := b.logIn(t)
	var err error
	used := make([]string, 0, session.RefreshBurst)
	for range session.RefreshBurst - 1 {
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
	b := newFixture(t)
	tokens, _ := b.logIn(t)
	var err error
	storetest.Exec(t, b.url, "UPDATE sessions SET refresh_credit_at = clock_timestamp() + make_interval(secs => $1)",
		(time.Hour + (session.RefreshBurst-1)*session.RefreshPace).Seconds())
	_, err = b.Refresh(t.Context(), tokens.Refresh)
	require.True(t, apperr.Is(err, apperr.RateLimited), "%v", err)
	require.InDelta(t, time.Hour, apperr.From(err).RetryAfter, float64(time.Minute))

	storetest.Exec(t, b.url, "UPDATE sessions SET refresh_credit_at = clock_timestamp()")
	for range session.RefreshBurst {
		tokens, err = b.Refresh(t.Context(), tokens.Refresh)
		require.NoError(t, err, "the refusal did not end the session")
	}
}

// Only a genuine token ends a session; its id is not enough.
func TestForgedRefreshTokenEndsNoSession(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	tokens, actor := b.logIn(t)
	forger := newService(t, b.store, b.auth, "another secret of thirty-two bytes")
	forged := session.NewRefreshToken(forger, actor.SessionID)
	_, err := b.Refresh(t.Context(), forged)
	require.True(t, apperr.Is(err, apperr.InvalidToken), "%v", err)
	_, err = forger.Refresh(t.Context(), tokens.Refresh)
	require.NoError(t, err, "a session outlives the secret that signed its token")
}

func TestRefreshDuringAnOutageLosesNoSession(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	tokens, _ := b.logIn(t)
	b.store.Close()
	_, err := b.Refresh(t.Context(), tokens.Refresh)
	require.Error(t, err)
	require.False(t, apperr.Is(err, apperr.InvalidToken) || apperr.Is(err, apperr.TokenReuse), "%v", err)
}

func TestLifetimesOfSessions(t *testing.T) {
	t.Parallel()
	require.Equal(t, 30*24*time.Hour, session.MaxLifetime)
	require.Equal(t, 7*24*time.Hour, session.MaxIdle)
	require.Equal(t, 10*time.Second, session.RefreshPace)
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
		require.Equal(t, want, session.NetworkOf(ip), ip)
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
		require.Equal(t, want, session.ShortUserAgent(header))
	}
}
