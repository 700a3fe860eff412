package auth_test

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	passwords "github.com/supportbackend/support/internal/password"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/store/storetest"
)

const (
	secret   = "a secret that only tests know, 32 bytes and more"
	password = "correct horse battery"
)

// hasher returns a Hasher whose hashes cost next to nothing.
func hasher() *passwords.Hasher {
	return passwords.NewHasher(passwords.Cost{Memory: 32, Passes: 1, Lanes: 1})
}

// newDetachedService returns a Service without a database, for what is decided before one is asked.
func newDetachedService(t *testing.T) *auth.Service {
	t.Helper()
	s, err := auth.NewService(nil, auth.Options{Passwords: hasher(), Secret: []byte(secret)})
	require.NoError(t, err)
	return s
}

// clock is a time that only the test moves.
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

// tokenTTL is that of a server.
var tokenTTL = config.Defaults().AccessTokenTTL()

// bench is a Service on a database of the test's own, with a clock that stands still.
type bench struct {
	*auth.Service
	url   string
	store *store.Store
	clock *clock
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{url: storetest.NewURL(t), clock: newClock()}
	b.store = storetest.Open(t, b.url)
	var err error
	b.Service, err = auth.NewService(b.store, auth.Options{Passwords: hasher(), Secret: []byte(secret), TokenTTL: tokenTTL, Now: b.clock.Now})
	require.NoError(t, err)
	return b
}

// addUser makes an account with a hash as it may stand in the database.
func (b *bench) addUser(t *testing.T, email, hash string) sqlc.User {
	t.Helper()
	user, err := b.store.CreateUser(t.Context(), sqlc.CreateUserParams{
		ID: uuid.Must(uuid.NewV7()), Email: email, PasswordHash: hash, Role: sqlc.UserRoleUser,
	})
	require.NoError(t, err)
	return user
}

// signIn begins a session for an account, and returns an access token of it.
func (b *bench) signIn(t *testing.T, user sqlc.User) (token string, session uuid.UUID) {
	t.Helper()
	session = uuid.Must(uuid.NewV7())
	_, hash := auth.NewRefreshToken(b.Service, session)
	version, err := b.store.CreateSession(t.Context(), sqlc.CreateSessionParams{
		ID: session, UserID: user.ID, PasswordHash: user.PasswordHash, TokenHash: hash, IdleSeconds: 60,
	})
	require.NoError(t, err)
	token, err = auth.SignToken(b.Service, user.ID, session, version)
	require.NoError(t, err)
	return token, session
}

func (b *bench) hashOf(t *testing.T, id uuid.UUID) string {
	t.Helper()
	return storetest.QueryText(t, b.url, "SELECT password_hash FROM users WHERE id = $1", id)
}

// olderHash is the password's hash with the parameters of another time.
func olderHash() string {
	return "$argon2id$v=19$m=64,t=1,p=1$b2xkZXIgcGFyYW1ldGVycw$" +
		base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(password), []byte("older parameters"), 1, 64, 1, 32))
}

func TestSecretThatIsTooShortIsRefused(t *testing.T) {
	t.Parallel()
	for _, length := range []int{0, 1, auth.MinSecretBytes - 1} {
		_, err := auth.NewService(nil, auth.Options{Passwords: hasher(), Secret: []byte(strings.Repeat("s", length))})
		require.Error(t, err, "%d bytes", length)
	}
	_, err := auth.NewService(nil, auth.Options{Passwords: hasher(), Secret: []byte(strings.Repeat("s", auth.MinSecretBytes))})
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

func TestOnlyCustomersSignThemselvesUp(t *testing.T) {
	t.Parallel()
	s := newDetachedService(t)
	hashes := auth.CountHashes(s, func() {
		for _, role := range []sqlc.UserRole{sqlc.UserRoleAgent, sqlc.UserRoleAdmin, "", "root", "USER"} {
			_, err := s.SignUp(t.Context(), somewhere, "ada@example.com", password, role)
			require.True(t, apperr.Is(err, apperr.RoleNotAllowed), "%q: %v", role, err)
		}
	})
	require.Zero(t, hashes)
}

// Made-up tokens of every kind are refused before the database is asked: this service has none.
func TestMadeUpTokensAreRefusedWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	s := newDetachedService(t)
	for _, token := range []string{
		"", "x", "a.b.c", "sk_", "sk_" + strings.Repeat("A", 64), "sk_" + strings.Repeat("_", 64), "srt_" + strings.Repeat("A", 86),
	} {
		_, err := s.Authenticate(t.Context(), token)
		require.True(t, apperr.Is(err, apperr.InvalidToken), "%s: %v", token, err)
		require.False(t, s.IsStranger(token), token)
	}
}

// A stopwatch on a shared machine proves nothing, so the work itself is counted.
func TestEveryFailedLogInDoesTheSameWork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	current, err := hasher().Hash(t.Context(), "", password)
	require.NoError(t, err)
	b.addUser(t, "current@example.com", current)
	b.addUser(t, "older@example.com", olderHash())
	_, outdated, err := hasher().Verify(t.Context(), "", "x", hasher().Dummy())
	require.NoError(t, err)
	require.False(t, outdated, "the dummy costs what a hash costs")

	var first error
	for name, c := range map[string]struct{ email, password string }{
		"wrong password":            {"current@example.com", password + "x"},
		"wrong, older parameters":   {"older@example.com", password + "x"},
		"unknown address":           {"unknown@example.com", password},
		"no address":                {"not an address", password},
		"empty address":             {"", password},
		"address of a megabyte":     {strings.Repeat("a", 1<<20), password},
		"empty password":            {"current@example.com", ""},
		"password of 512 emoji":     {"current@example.com", strings.Repeat("🔑", 512)},
		"address with NUL":          {"current@example.com\x00", password},
		"pattern for every address": {"%@example.com", password},
	} {
		var err error
		hashes := auth.CountHashes(b.Service, func() { _, err = b.LogIn(t.Context(), somewhere, c.email, c.password) })
		require.EqualValues(t, 1, hashes, name)
		if first == nil {
			first = err
		}
		require.True(t, apperr.Is(err, apperr.InvalidCredentials), "%s: %v", name, err)
		require.Equal(t, first, err, name)
	}
	require.EqualValues(t, 1, auth.CountHashes(b.Service, func() { _, err = b.LogIn(t.Context(), somewhere, "current@example.com", password) }))
	require.NoError(t, err)
}

func TestTakenAddressIsHashedForLikeAFreeOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, taken := range []bool{false, true} {
		var err error
		hashes := auth.CountHashes(b.Service, func() {
			_, err = b.SignUp(t.Context(), somewhere, "ada@example.com", password, sqlc.UserRoleUser)
		})
		require.EqualValues(t, 1, hashes)
		require.Equal(t, taken, apperr.Is(err, apperr.EmailTaken), "%v", err)
	}
}

func TestOlderHashIsReplacedByTheLogInThatProvesIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.addUser(t, "ada@example.com", olderHash())
	_, err := b.LogIn(t.Context(), somewhere, user.Email, password+"x")
	require.True(t, apperr.Is(err, apperr.InvalidCredentials))
	require.Equal(t, olderHash(), b.hashOf(t, user.ID), "a wrong password proves nothing")

	require.EqualValues(t, 2, auth.CountHashes(b.Service, func() { _, err = b.LogIn(t.Context(), somewhere, user.Email, password) }))
	require.NoError(t, err)
	replaced := b.hashOf(t, user.ID)
	ok, outdated, err := hasher().Verify(t.Context(), "", password, replaced)
	require.NoError(t, err)
	require.True(t, ok)
	require.False(t, outdated)

	require.EqualValues(t, 1, auth.CountHashes(b.Service, func() { _, err = b.LogIn(t.Context(), somewhere, user.Email, password) }))
	require.NoError(t, err)
	require.Equal(t, replaced, b.hashOf(t, user.ID), "once is enough")
}

func TestReplacedHashNeverUndoesAChangedPassword(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.addUser(t, "ada@example.com", "the hash of a new password")
	changed, err := b.store.UpdateUserPasswordHash(t.Context(), sqlc.UpdateUserPasswordHashParams{
		ID: user.ID, OldHash: olderHash(), NewHash: "the old password's hash",
	})
	require.NoError(t, err)
	require.Zero(t, changed)
	require.Equal(t, "the hash of a new password", b.hashOf(t, user.ID))
}

func TestLogInsInParallelReplaceAnOlderHashSafely(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.addUser(t, "ada@example.com", olderHash())
	errs := make([]error, 2) // A hasher takes two at once at least: none has to wait.
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = b.LogIn(t.Context(), somewhere, user.Email, password) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	ok, outdated, err := hasher().Verify(t.Context(), "", password, b.hashOf(t, user.ID))
	require.NoError(t, err)
	require.True(t, ok)
	require.False(t, outdated)
}

func TestInvalidStoredHashIsTheServersFault(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.addUser(t, "ada@example.com", "plain text canary")
	_, err := b.LogIn(t.Context(), somewhere, user.Email, "plain text canary")
	require.Equal(t, apperr.Internal, apperr.From(err).Code)
	require.NotContains(t, err.Error(), "canary")
}

func TestAccountsAreStoredInTheirOneForm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user, err := b.CreateAccount(t.Context(), "ＡＤＡ@Example.COM", password, sqlc.UserRoleAdmin)
	require.NoError(t, err)
	require.Equal(t, "ada@example.com", user.Email)
	require.Equal(t, sqlc.UserRoleAdmin, user.Role)
	require.Equal(t, uuid.Version(7), user.ID.Version())
	require.NotContains(t, user.PasswordHash, password)
	_, err = b.CreateAccount(t.Context(), "not an address", password, sqlc.UserRoleUser)
	require.Equal(t, []apperr.Field{{Pointer: "/email", Code: apperr.InvalidFormat}}, apperr.From(err).Fields)
}

func TestChangeOfAnAccountIsSeenWithinASecond(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.addUser(t, "ada@example.com", "x")
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

func TestBusyClientAsksTheDatabaseOnceASecond(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.addUser(t, "ada@example.com", "x")
	token, _ := b.signIn(t, user)
	_, err := b.Authenticate(t.Context(), token)
	require.NoError(t, err)
	b.store.Close()
	b.clock.Advance(auth.AccountTTL - time.Nanosecond)
	_, err = b.Authenticate(t.Context(), token)
	require.NoError(t, err, "it is not asked")
	b.clock.Advance(time.Nanosecond)
	_, err = b.Authenticate(t.Context(), token)
	require.Error(t, err)
	require.False(t, apperr.Is(err, apperr.InvalidToken), "a database that is down does not log anybody out: %v", err)
}

func TestTokenOfAnEndedSessionAsksTheDatabaseOnceASecond(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	user := b.addUser(t, "ada@example.com", "x")
	token, _ := b.signIn(t, user)
	storetest.Exec(t, b.url, "DELETE FROM sessions")
	_, err := b.Authenticate(t.Context(), token)
	require.True(t, apperr.Is(err, apperr.InvalidToken), "%v", err)
	b.store.Close()
	_, err = b.Authenticate(t.Context(), token)
	require.True(t, apperr.Is(err, apperr.InvalidToken), "%v", err)
}

func TestAccountsKeptAreBounded(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, auth.FillAccountCache(newDetachedService(t)), auth.MaxAccounts)
}

func TestCancelledLogInIsNoWrongPassword(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.LogIn(ctx, somewhere, "ada@example.com", password)
	require.ErrorIs(t, err, context.Canceled)
}
