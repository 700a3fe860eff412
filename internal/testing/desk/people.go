package desk

import (
	"context"
	"net/netip"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/password"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/testing/apitest"
)

// cheap is the lowest cost of password hashes.
var cheap = password.Cost{Memory: 32, Passes: 1, Lanes: 1}

// hashed is the hash of apitest.Password.
var hashed = sync.OnceValues(func() (string, error) {
	return password.NewHasher(cheap).Hash(context.Background(), "", apitest.Password)
})

// Customer creates a customer's account and logs it in.
func (d *Desk) Customer(t testing.TB) *apitest.User {
	t.Helper()
	return d.Staff(t, sqlc.UserRoleUser)
}

// Staff creates an account with the role and logs it in.
func (d *Desk) Staff(t testing.TB, role sqlc.UserRole) *apitest.User {
	t.Helper()
	hash, err := hashed()
	require.NoError(t, err)
	id := uuid.Must(uuid.NewV7())
	user, err := d.Store.CreateUser(t.Context(), sqlc.CreateUserParams{
		ID: id, Email: "user-" + id.String() + "@example.com", PasswordHash: hash, Role: role,
	})
	require.NoError(t, err)
	return d.Again(t, &apitest.User{ID: id, Email: user.Email, Role: role})
}

// Again returns the account with another session, without a request.
func (d *Desk) Again(t testing.TB, u *apitest.User) *apitest.User {
	t.Helper()
	here := session.Client{Addr: netip.MustParseAddr("127.0.0.1"), UserAgent: "Go-http-client/1.1"}
	tokens, err := d.Accounts.LogIn(t.Context(), here, u.Email, apitest.Password)
	require.NoError(t, err)
	return d.User(t, apitest.User{ID: u.ID, Email: u.Email, Role: u.Role, Token: tokens.Access, Refresh: tokens.Refresh})
}
