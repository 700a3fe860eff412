package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// patience is generous, for a busy machine.
const patience = 30 * time.Second

func TestMain(m *testing.M) { storetest.Main(m) }

func newUser(email string) sqlc.CreateUserParams {
	return sqlc.CreateUserParams{ID: uuid.Must(uuid.NewV7()), Email: email, PasswordHash: "x", Role: sqlc.UserRoleUser}
}

func TestEverySessionHasItsSettings(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	storetest.Exec(t, url, "ALTER DATABASE "+storetest.QueryText(t, url, "SELECT current_database()")+
		" SET default_transaction_isolation = 'serializable'")
	s := storetest.Open(t, url)
	for name, want := range map[string]string{
		"transaction_isolation": "read committed", "statement_timeout": "5s", "lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s",
		"client_connection_check_interval": "5s", "application_name": "support", "TimeZone": "UTC", "jit": "off",
	} {
		got, err := store.Setting(t.Context(), s, name)
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
}

func TestReservedSessionsPlanTheirStatementsOnce(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s, err := store.Open(t.Context(), store.Config{URL: url + "&plan_cache_mode=auto", MaxConns: 8})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	mode, err := store.ReservedSetting(t.Context(), s, "plan_cache_mode")
	require.NoError(t, err)
	require.Equal(t, "force_generic_plan", mode)
	mode, err = store.Setting(t.Context(), s, "plan_cache_mode")
	require.NoError(t, err)
	require.Equal(t, "auto", mode, "lists need plans for their filters")
}

func TestUniqueViolationNamesItsConstraintWithoutValues(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	first, err := s.CreateUser(t.Context(), newUser("canary@example.com"))
	require.NoError(t, err)
	again := newUser("other-canary@example.com")
	again.ID = first.ID
	_, err = s.CreateUser(t.Context(), again)
	require.True(t, store.IsUniqueViolation(err, "users_pkey"))
	require.NotContains(t, strings.ToLower(err.Error()), "canary")
}

func TestTransactionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	user := newUser("ada@example.com")
	err := s.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := s.CreateUser(ctx, user); err != nil {
			return err
		}
		_, err := s.CreateUser(ctx, newUser("ADA@example.com"))
		return err
	})
	require.ErrorIs(t, err, store.ErrNoRows, "the address is taken")
	_, err = s.GetUser(t.Context(), user.ID)
	require.ErrorIs(t, err, store.ErrNoRows)
}

func TestTextThatPostgreSQLCannotStoreIsRefused(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	_, err := s.CreateUser(t.Context(), newUser("nul\x00@example.com"))
	require.True(t, apperr.Is(err, apperr.ValidationFailed), "%v", err)
}

func TestWaitForAConnectionIsBounded(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Config{URL: storetest.NewURL(t), MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	err = s.InTx(t.Context(), func(context.Context) error {
		_, err := s.GetSchemaMigration(t.Context())
		return err
	})
	require.True(t, apperr.Is(err, apperr.DBBusy), "%v", err)
}

func TestUnreachableDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Config{URL: "postgres://u:canary@127.0.0.1:1/none", MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	err = s.Ready(t.Context())
	require.True(t, apperr.Is(err, apperr.DBUnavailable), "%v", err)
	require.NotContains(t, err.Error(), "canary")
}

func TestInvalidURLIsNotQuoted(t *testing.T) {
	t.Parallel()
	_, err := store.Open(t.Context(), store.Config{URL: "postgres://u:canary@[::1/none", MaxConns: 1})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "canary")
}

func TestCancelledQueryLeavesTheStoreUsable(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.GetSchemaMigration(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Ready(t.Context()))
}
