package account_test

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	passwords "github.com/supportbackend/support/internal/password"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const (
	secret   = "a secret that only tests know, 32 bytes and more"
	password = "correct horse battery"
)

// hasher returns a Hasher with cheap parameters.
func hasher() *passwords.Hasher {
	return passwords.NewHasher(passwords.Cost{Memory: 32, Passes: 1, Lanes: 1})
}

// newDetachedService returns a Service without a database, for requests that are refused before a query.
func newDetachedService(t *testing.T) *account.Service {
	t.Helper()
	s, _, _ := newService(t, nil, account.Options{Secret: []byte(secret)})
	return s
}

// fixture is a Service on the test's own database.
type fixture struct {
	*account.Service
	auth     *auth.Service
	sessions *session.Service
	url      string
	store    *store.Store
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	b := &fixture{}
	b.url, b.store = storetest.Lend(t)
	b.Service, b.sessions, b.auth = newService(t, b.store, account.Options{Secret: []byte(secret)})
	return b
}

// newService returns a Service with cheap hashes, and the services it works with.
func newService(t *testing.T, s *store.Store, o account.Options) (*account.Service, *session.Service, *auth.Service) {
	t.Helper()
	a, err := auth.NewService(s, auth.Options{Secret: o.Secret, TokenTTL: config.Defaults().AccessTokenTTL()})
	require.NoError(t, err)
	sessions, err := session.NewService(s, a, session.Options{Secret: o.Secret})
	require.NoError(t, err)
	o.Passwords = hasher()
	return account.NewService(s, a, sessions, o), sessions, a
}

// addUser creates an account with a stored hash.
func (b *fixture) addUser(t *testing.T, email, hash string) sqlc.User {
	t.Helper()
	user, err := b.store.CreateUser(t.Context(), sqlc.CreateUserParams{
		ID: uuid.Must(uuid.NewV7()), Email: email, PasswordHash: hash, Role: sqlc.UserRoleUser,
	})
	require.NoError(t, err)
	return sqlc.User(user)
}

// addAccount creates an account with the password.
func (b *fixture) addAccount(t *testing.T, email string) sqlc.User {
	t.Helper()
	hash, err := hasher().Hash(t.Context(), "", password)
	require.NoError(t, err)
	return b.addUser(t, email, hash)
}

// signIn creates a session for an account.
func (b *fixture) signIn(t *testing.T, user sqlc.User) auth.Actor {
	t.Helper()
	tokens, err := b.sessions.Open(t.Context(), user, session.Client{})
	require.NoError(t, err)
	actor, err := b.auth.Authenticate(t.Context(), tokens.Access)
	require.NoError(t, err)
	return actor
}

func (b *fixture) hashOf(t *testing.T, id uuid.UUID) string {
	t.Helper()
	return storetest.QueryText(t, b.url, "SELECT password_hash FROM users WHERE id = $1", id)
}

// olderHash returns the password's hash with outdated parameters.
func olderHash() string {
	return "$argon2id$v=19$m=64,t=1,p=1$b2xkZXIgcGFyYW1ldGVycw$" +
		base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(password), []byte("older parameters"), 1, 64, 1, 32))
}

func TestSignUpCreatesOnlyCustomers(t *testing.T) {
	t.Parallel()
	s := newDetachedService(t)
	hashes := account.CountHashes(s, func() {
		for _, role := range []sqlc.UserRole{sqlc.UserRoleAgent, sqlc.UserRoleAdmin, "", "root", "USER"} {
			_, err := s.SignUp(t.Context(), somewhere, account.NewAccount{Email: "ada@example.com", Password: password, Role: role})
			require.True(t, apperr.Is(err, apperr.RoleNotAllowed), "%q: %v", role, err)
		}
	})
	require.Zero(t, hashes)
}

// Times on a shared machine prove nothing, so the test counts hashes.
func TestEveryFailedLogInDoesTheSameWork(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	current, err := hasher().Hash(t.Context(), "", password)
	require.NoError(t, err)
	b.addUser(t, "current@example.com", current)
	b.addUser(t, "older@example.com", olderHash())
	_, outdated, err := hasher().Verify(t.Context(), "", "x", hasher().Dummy())
	require.NoError(t, err)
	require.False(t, outdated, "the dummy hash has current parameters")

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
		hashes := account.CountHashes(b.Service, func() { _, err = b.LogIn(t.Context(), somewhere, c.email, c.password) })
		require.EqualValues(t, 1, hashes, name)
		if first == nil {
			first = err
		}
		require.True(t, apperr.Is(err, apperr.InvalidCredentials), "%s: %v", name, err)
		require.Equal(t, first, err, name)
	}
	require.EqualValues(t, 1, account.CountHashes(b.Service, func() { _, err = b.LogIn(t.Context(), somewhere, "current@example.com", password) }))
	require.NoError(t, err)
}

func TestSignUpHashesForTakenAddressesToo(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for _, taken := range []bool{false, true} {
		var err error
		hashes := account.CountHashes(b.Service, func() {
			_, err = b.SignUp(t.Context(), somewhere, account.NewAccount{Email: "ada@example.com", Password: password, Role: sqlc.UserRoleUser})
		})
		require.EqualValues(t, 1, hashes)
		require.Equal(t, taken, apperr.Is(err, apperr.EmailTaken), "%v", err)
	}
}

func TestLogInReplacesAnOutdatedHash(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addUser(t, "ada@example.com", olderHash())
	_, err := b.LogIn(t.Context(), somewhere, user.Email, password+"x")
	require.True(t, apperr.Is(err, apperr.InvalidCredentials))
	require.Equal(t, olderHash(), b.hashOf(t, user.ID), "a wrong password replaces nothing")

	require.EqualValues(t, 2, account.CountHashes(b.Service, func() { _, err = b.LogIn(t.Context(), somewhere, user.Email, password) }))
	require.NoError(t, err)
	replaced := b.hashOf(t, user.ID)
	ok, outdated, err := hasher().Verify(t.Context(), "", password, replaced)
	require.NoError(t, err)
	require.True(t, ok)
	require.False(t, outdated)

	require.EqualValues(t, 1, account.CountHashes(b.Service, func() { _, err = b.LogIn(t.Context(), somewhere, user.Email, password) }))
	require.NoError(t, err)
	require.Equal(t, replaced, b.hashOf(t, user.ID), "the hash is replaced only once")
}

func TestReplacedHashNeverUndoesAChangedPassword(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
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
	b := newFixture(t)
	user := b.addUser(t, "ada@example.com", olderHash())
	errs := make([]error, 2) // A hasher allows at least two at a time, so none has to wait.
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
	b := newFixture(t)
	user := b.addUser(t, "ada@example.com", "plain text canary")
	_, err := b.LogIn(t.Context(), somewhere, user.Email, "plain text canary")
	require.Equal(t, apperr.Internal, apperr.From(err).Code)
	require.NotContains(t, err.Error(), "canary")
}

func TestAccountsAreStoredWithNormalizedAddresses(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user, err := b.Create(t.Context(), nil, account.NewAccount{Email: "ＡＤＡ@Example.COM", Password: password, Role: sqlc.UserRoleAdmin})
	require.NoError(t, err)
	require.Equal(t, "ada@example.com", user.Email)
	require.Equal(t, sqlc.UserRoleAdmin, user.Role)
	require.Equal(t, uuid.Version(7), user.ID.Version())
	require.NotContains(t, user.PasswordHash, password)
	_, err = b.Create(t.Context(), nil, account.NewAccount{Email: "not an address", Password: password, Role: sqlc.UserRoleUser})
	require.Equal(t, []apperr.Field{{Pointer: "/email", Code: apperr.InvalidFormat}}, apperr.From(err).Fields)
}

func TestCancelledLogInIsNotAWrongPassword(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.LogIn(ctx, somewhere, "ada@example.com", password)
	require.ErrorIs(t, err, context.Canceled)
}
