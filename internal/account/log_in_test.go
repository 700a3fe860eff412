package account_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/session"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestLogInToADisabledAccountCostsTheSame(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addAccount(t, "ada@example.com")
	older := b.addUser(t, "older@example.com", olderHash())
	storetest.Exec(t, b.url, "UPDATE users SET disabled_at = now()")
	_, wrong := b.LogIn(t.Context(), session.Client{}, "unknown@example.com", password)
	for _, email := range []string{user.Email, older.Email} {
		for _, attempt := range []string{password, password + "x"} {
			var err error
			hashes := account.CountHashes(b.Service, func() { _, err = b.LogIn(t.Context(), session.Client{}, email, attempt) })
			require.EqualValues(t, 1, hashes, "%s with %s", email, attempt)
			require.Equal(t, wrong, err)
		}
	}
	require.Equal(t, olderHash(), b.hashOf(t, older.ID), "the hash of a disabled account is not replaced")
	require.Zero(t, storetest.QueryInt(t, b.url, "SELECT count(*) FROM sessions"))
}

func TestChangePasswordChecksTheRules(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	user := b.addAccount(t, "ada@example.com")
	actor := b.signIn(t, user)
	var err error
	for _, wrong := range []string{"", "short", strings.Repeat("x", 129), "password"} {
		require.Zero(t, account.CountHashes(b.Service, func() { err = b.ChangePassword(t.Context(), session.Client{}, actor, password, wrong) }))
		require.Equal(t, "/new_password", apperr.From(err).Fields[0].Pointer)
	}
	require.EqualValues(t, 1, account.CountHashes(b.Service, func() {
		err = b.ChangePassword(t.Context(), session.Client{}, actor, password+"x", "staple of another kind")
	}))
	require.True(t, apperr.Is(err, apperr.InvalidCredentials), "%v", err)
	require.Equal(t, user.PasswordHash, b.hashOf(t, user.ID))
	require.NoError(t, b.ChangePassword(t.Context(), session.Client{}, actor, password, "staple of another kind"))
	require.NotEqual(t, user.PasswordHash, b.hashOf(t, user.ID))
}

func TestLogInRacingAChangeOfPasswordLeavesNoSession(t *testing.T) {
	t.Parallel()
	const logIns, rounds = 6, 5
	b := newFixture(t)
	for range rounds {
		user := b.addUser(t, uuid.NewString()+"@example.com", olderHash())
		actor := b.signIn(t, user)
		var running sync.WaitGroup
		for range logIns {
			running.Go(func() {
				_, err := b.LogIn(t.Context(), session.Client{}, user.Email, password)
				if err != nil && !apperr.Is(err, apperr.InvalidCredentials) && !apperr.Is(err, apperr.ServerBusy) {
					t.Errorf("a log-in failed: %v", err)
				}
			})
		}
		require.NoError(t, b.ChangePassword(t.Context(), session.Client{}, actor, password, "staple of another kind"))
		running.Wait()
		require.Equal(t, actor.SessionID.String(), storetest.QueryText(t, b.url,
			"SELECT string_agg(id::text, ' ') FROM sessions WHERE user_id = $1", user.ID), "the caller's own, and no other")
	}
}
