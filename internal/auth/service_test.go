package auth_test

import (
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const secret = "a secret that only tests know, 32 bytes and more"

// newDetachedService returns a Service without a database, for requests that are refused before a query.
func newDetachedService(t *testing.T) *auth.Service {
	t.Helper()
	s, err := auth.NewService(nil, auth.Options{Secret: []byte(secret)})
	require.NoError(t, err)
	return s
}

// clock is a clock that only the test advances.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().Truncate(time.Second)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// tokenTTL is a server's default.
var tokenTTL = config.Defaults().AccessTokenTTL()

// fixture is a Service on the test's own database, with a stopped clock.
type fixture struct {
	*auth.Service
	url   string
	store *store.Store
	clock *clock
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	b := &fixture{clock: newClock()}
	b.url, b.store = storetest.Lend(t)
	var err error
	b.Service, err = auth.NewService(b.store, auth.Options{Secret: []byte(secret), TokenTTL: tokenTTL, Now: b.clock.Now})
	require.NoError(t, err)
	return b
}

func (b *fixture) addUser(t *testing.T, email string) sqlc.User {
	t.Helper()
	user, err := b.store.CreateUser(t.Context(), sqlc.CreateUserParams{
		ID: uuid.Must(uuid.NewV7()), Email: email, PasswordHash: "x", Role: sqlc.UserRoleUser,
	})
	require.NoError(t, err)
	return sqlc.User(user)
}

// signIn creates a session for an account, and returns an access token.
func (b *fixture) signIn(t *testing.T, user sqlc.User) (token string, session uuid.UUID) {
	t.Helper()
	session = uuid.Must(uuid.NewV7())
	hash := sha256.Sum256(session[:])
	version, err := b.store.CreateSession(t.Context(), sqlc.CreateSessionParams{
		ID: session, UserID: user.ID, PasswordHash: user.PasswordHash, TokenHash: hash[:], IdleSeconds: 60,
	})
	require.NoError(t, err)
	token, _, err = b.SignAccessToken(user.ID, session, version)
	require.NoError(t, err)
	return token, session
}

func TestShortSecretIsRefused(t *testing.T) {
	t.Parallel()
	for _, length := range []int{0, 1, auth.MinSecretBytes - 1} {
		_, err := auth.NewService(nil, auth.Options{Secret: []byte(strings.Repeat("s", length))})
		require.Error(t, err, "%d bytes", length)
	}
	_, err := auth.NewService(nil, auth.Options{Secret: []byte(strings.Repeat("s", auth.MinSecretBytes))})
	require.NoError(t, err)
}

func TestEachRoleIncludesTheOnesBefore(t *testing.T) {
	t.Parallel()
	const user, agent, admin = sqlc.UserRoleUser, sqlc.UserRoleAgent, sqlc.UserRoleAdmin
	for role, may := range map[sqlc.UserRole][]sqlc.UserRole{
		user: {user}, agent: {user, agent}, admin: {user, agent, admin}, "": nil, "root": nil, "Admin": nil,
	} {
		actor := auth.Actor{Role: role}
		for _, wanted := range []sqlc.UserRole{user, agent, admin, "", "root", "Admin"} {
			require.Equal(t, slices.Contains(may, wanted), actor.Has(wanted), "%q as %q", role, wanted)
		}
		require.Equal(t, role == agent || role == admin, actor.IsStaff())
	}
}

// Forged tokens of every kind are refused without a query: this service has no database.
func TestForgedTokensAreRefusedWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	s := newDetachedService(t)
	for _, token := range []string{
		"", "x", "a.b.c", "sk_", "sk_" + strings.Repeat("A", 64), "sk_" + strings.Repeat("_", 64), "srt_" + strings.Repeat("A", 86),
	} {
		_, err := s.Authenticate(t.Context(), token)
		require.True(t, apperr.Is(err, apperr.InvalidToken), "%s: %v", token, err)
		require.False(t, s.IsUnknownKey(token), token)
	}
}

func TestChangeOfAnAccountIsSeenWithinASecond(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addUser(t, "ada@example.com")
	token, session := b.signIn(t, user)
	actor, err := b.Authenticate(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, auth.Actor{ID: user.ID, Email: user.Email, Role: sqlc.UserRoleUser, SessionID: session}, actor)

	storetest.Exec(t, b.url, "UPDATE users SET role = 'agent' WHERE id = $1", user.ID)
	b.clock.Advance(auth.AccountTTL)
	actor, err = b.Authenticate(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, sqlc.UserRoleAgent, actor.Role)

	storetest.Exec(t, b.url, "DELETE FROM users WHERE id = $1", user.ID)
	b.clock.Advance(auth.AccountTTL)
	_, err = b.Authenticate(t.Context(), token)
	require.True(t, apperr.Is(err, apperr.InvalidToken), "%v", err)
}

func TestBusyClientQueriesTheDatabaseOnceASecond(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addUser(t, "ada@example.com")
	token, _ := b.signIn(t, user)
	_, err := b.Authenticate(t.Context(), token)
	require.NoError(t, err)
	b.store.Close()
	b.clock.Advance(auth.AccountTTL - time.Nanosecond)
	_, err = b.Authenticate(t.Context(), token)
	require.NoError(t, err, "the database is not queried")
	b.clock.Advance(time.Nanosecond)
	_, err = b.Authenticate(t.Context(), token)
	require.Error(t, err)
	require.False(t, apperr.Is(err, apperr.InvalidToken), "a database that is down does not log anybody out: %v", err)
}

func TestTokenOfAnEndedSessionQueriesTheDatabaseOnceASecond(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addUser(t, "ada@example.com")
	token, _ := b.signIn(t, user)
	storetest.Exec(t, b.url, "DELETE FROM sessions")
	_, err := b.Authenticate(t.Context(), token)
	require.True(t, apperr.Is(err, apperr.InvalidToken), "%v", err)
	b.store.Close()
	_, err = b.Authenticate(t.Context(), token)
	require.True(t, apperr.Is(err, apperr.InvalidToken), "%v", err)
}

func TestAccountCacheIsBounded(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, auth.FillAccountCache(newDetachedService(t)), auth.MaxAccounts)
}
