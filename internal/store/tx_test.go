package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

var errBroken = errors.New("broken on purpose")

// createTwo creates an account in each way in which a service may write.
func createTwo(ctx context.Context, s *store.Store, users []sqlc.CreateUserParams) error {
	if _, err := s.CreateUser(ctx, users[0]); err != nil {
		return err
	}
	return s.InTx(ctx, func(ctx context.Context) error {
		_, err := s.CreateUser(ctx, users[1])
		return err
	})
}

func TestTransactionUsesOneConnection(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	users := []sqlc.CreateUserParams{newUser("a@example.com"), newUser("b@example.com")}
	stored := func() int { return storetest.QueryInt(t, url, "SELECT count(*) FROM users") }
	for _, result := range []error{errBroken, nil} {
		after, ended := 0, false
		err := s.InTx(t.Context(), func(ctx context.Context) error {
			store.AfterEnd(ctx, func() {
				ended = true
				require.Equal(t, stored(), 2*after, "AfterCommit ran before the commit")
			})
			require.NoError(t, createTwo(ctx, s, users))
			for _, user := range users {
				_, err := s.GetUser(ctx, user.ID)
				require.NoError(t, err, "the transaction sees its own writes")
			}
			require.Zero(t, stored(), "others do not see uncommitted writes")
			store.AfterCommit(ctx, func() {
				after++
				require.Equal(t, 2, stored())
			})
			require.Zero(t, after)
			require.False(t, ended)
			return result
		})
		require.ErrorIs(t, err, result)
		require.True(t, ended)
		if result == nil {
			require.Equal(t, 2, stored())
			require.Equal(t, 1, after)
		} else {
			require.Zero(t, stored())
			require.Zero(t, after)
		}
	}
}

func TestIgnoredErrorStillFailsTheTransaction(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s := storetest.Open(t, url)
	user := newUser("ada@example.com")
	err := s.InTx(t.Context(), func(ctx context.Context) error {
		store.AfterCommit(ctx, func() { require.Fail(t, "AfterCommit ran without a commit") })
		_, err := s.CreateUser(ctx, user)
		require.NoError(t, err)
		user.Email = "another@example.com" // the same id
		_, err = s.CreateUser(ctx, user)
		require.Error(t, err)
		return nil
	})
	require.Error(t, err)
	require.Zero(t, storetest.QueryInt(t, url, "SELECT count(*) FROM users"))
}

func TestPanicRollsTheTransactionBack(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s := storetest.Open(t, url)
	require.Panics(t, func() {
		_ = s.InTx(t.Context(), func(ctx context.Context) error {
			_, err := s.CreateUser(ctx, newUser("ada@example.com"))
			require.NoError(t, err)
			panic("a fault")
		})
	})
	require.Zero(t, storetest.QueryInt(t, url, "SELECT count(*) FROM users"))
	require.NoError(t, s.Ready(t.Context()))
}

func TestContextThatOutlivesItsTransactionJoinsNoOther(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	var outlived context.Context
	require.NoError(t, s.InTx(t.Context(), func(ctx context.Context) error {
		outlived = context.WithoutCancel(ctx) //nolint:fatcontext // The test needs such a context.
		return nil
	}))
	user := newUser("ada@example.com")
	_, err := s.CreateUser(outlived, user)
	require.NoError(t, err)
	ran := false
	store.AfterCommit(outlived, func() { ran = true })
	require.True(t, ran, "outside a transaction, AfterCommit runs immediately")
	_, err = s.GetUser(t.Context(), user.ID)
	require.NoError(t, err)
}

func TestTransactionBelongsToOneStore(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	one, other := storetest.Open(t, url), storetest.Open(t, url)
	user := newUser("ada@example.com")
	err := one.InTx(t.Context(), func(ctx context.Context) error {
		_, err := other.CreateUser(ctx, user)
		require.NoError(t, err)
		return errBroken
	})
	require.ErrorIs(t, err, errBroken)
	_, err = one.GetUser(t.Context(), user.ID)
	require.NoError(t, err)
}

// Two transactions deadlock. PostgreSQL ends one of them, which then runs again from the beginning.
func TestDeadlockedTransactionRunsAgain(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s := storetest.Open(t, url)
	users := []sqlc.CreateUserParams{newUser("a@example.com"), newUser("b@example.com")}
	for _, user := range users {
		_, err := s.CreateUser(t.Context(), user)
		require.NoError(t, err)
	}
	change := func(ctx context.Context, id uuid.UUID, from, to string) error {
		_, err := s.UpdateUserPasswordHash(ctx, sqlc.UpdateUserPasswordHashParams{ID: id, OldHash: from, NewHash: to})
		return err
	}
	var holding sync.WaitGroup
	holding.Add(2)
	runs, after, ends := make([]int, 2), make([]int, 2), make([]int, 2)
	errs := make(chan error, 2)
	for i := range 2 {
		go func() {
			errs <- s.InTx(t.Context(), func(ctx context.Context) error {
				runs[i]++
				store.AfterCommit(ctx, func() { after[i]++ })
				store.AfterEnd(ctx, func() { ends[i]++ })
				if err := change(ctx, users[i].ID, "x", "x"); err != nil {
					return err
				}
				if runs[i] == 1 {
					holding.Done()
					holding.Wait()
				}
				return change(ctx, users[1-i].ID, "x", "x")
			})
		}()
	}
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
	require.Equal(t, 3, runs[0]+runs[1], "one of them ran twice")
	require.Equal(t, []int{1, 1}, after, "AfterCommit runs once per commit")
	require.Equal(t, runs, ends, "AfterEnd runs after each attempt")
}

// A statement marked as the last one commits the transaction, unless an outer call began the transaction.
func TestLastStatementCommits(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s := storetest.Open(t, url)
	stored := func() int { return storetest.QueryInt(t, url, "SELECT count(*) FROM users") }
	err := s.InTx(t.Context(), func(ctx context.Context) error {
		_, err := s.CreateUser(ctx, newUser("a@example.com"))
		require.NoError(t, err)
		require.NoError(t, s.InTx(ctx, func(ctx context.Context) error {
			_, err := s.CreateUser(store.Last(ctx), newUser("b@example.com"))
			return err
		}))
		require.Zero(t, stored(), "an outer call began the transaction")
		_, err = s.ListUsers(store.Last(ctx), sqlc.ListUsersParams{BeforeCreatedAt: page.Last.CreatedAt, BeforeID: page.Last.ID, MaxRows: 9})
		require.NoError(t, err)
		require.Equal(t, 2, stored())
		_, err = s.CreateUser(ctx, newUser("c@example.com"))
		require.Error(t, err, "no statement may follow the last one")
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 2, stored())

	// A last statement without a row also commits.
	err = s.InTx(t.Context(), func(ctx context.Context) error {
		_, err := s.CreateUser(ctx, newUser("c@example.com"))
		require.NoError(t, err)
		_, err = s.CreateUser(store.Last(ctx), newUser("a@example.com"))
		return err
	})
	require.ErrorIs(t, err, store.ErrNoRows)
	require.Equal(t, 3, stored())

	// A last statement that fails does not commit.
	user := newUser("d@example.com")
	err = s.InTx(t.Context(), func(ctx context.Context) error {
		_, err := s.CreateUser(ctx, user)
		require.NoError(t, err)
		user.Email = "e@example.com" // the same id
		_, err = s.CreateUser(store.Last(ctx), user)
		return err
	})
	require.Error(t, err)
	require.Equal(t, 3, stored())
	require.NoError(t, s.Ready(t.Context()))
}

// A statement whose result nobody needs is sent with the next one, or with the commit.
func TestStatementAheadIsSentWithTheNextOne(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s := storetest.Open(t, url)
	service := newUser("shop@example.com")
	_, err := s.CreateUser(t.Context(), service)
	require.NoError(t, err)
	customerOf := func(service uuid.UUID, name string) sqlc.CreateServiceCustomerParams {
		return sqlc.CreateServiceCustomerParams{ServiceID: service, ExternalID: name, UserID: uuid.New(), Email: name + "@example.com"}
	}
	stored := func() int { return storetest.QueryInt(t, url, "SELECT count(*) FROM service_customers") }

	require.NoError(t, s.InTx(t.Context(), func(ctx context.Context) error {
		require.NoError(t, s.CreateServiceCustomer(store.Ahead(ctx), customerOf(service.ID, "one")))
		_, err := s.GetServiceCustomer(ctx, sqlc.GetServiceCustomerParams{ServiceID: service.ID, ExternalID: "one"})
		require.NoError(t, err)
		return s.CreateServiceCustomer(store.Ahead(ctx), customerOf(service.ID, "two"))
	}))
	require.Equal(t, 2, stored())
	require.NoError(t, s.InTx(t.Context(), func(ctx context.Context) error {
		require.NoError(t, s.CreateServiceCustomer(store.Ahead(ctx), customerOf(service.ID, "three")))
		require.NoError(t, s.CreateServiceCustomer(store.Ahead(ctx), customerOf(service.ID, "four")))
		_, err := s.GetUser(store.Last(ctx), service.ID)
		return err
	}))
	require.Equal(t, 4, stored())

	// The next statement or the commit returns its error.
	for _, next := range []func(context.Context) error{
		func(context.Context) error { return nil },
		func(ctx context.Context) error {
			_, err := s.GetUser(ctx, service.ID)
			return err
		},
		func(ctx context.Context) error {
			_, err := s.GetUser(store.Last(ctx), service.ID)
			return err
		},
	} {
		require.Error(t, s.InTx(t.Context(), func(ctx context.Context) error {
			require.NoError(t, s.CreateServiceCustomer(store.Ahead(ctx), customerOf(service.ID, "five")))
			require.NoError(t, s.CreateServiceCustomer(store.Ahead(ctx), customerOf(uuid.New(), "nobody's")))
			return next(ctx)
		}))
		require.Equal(t, 4, stored())
	}
	require.NoError(t, s.CreateServiceCustomer(store.Ahead(t.Context()), customerOf(service.ID, "five")), "outside a transaction, it runs immediately")
	require.Equal(t, 5, stored())
	require.NoError(t, s.Ready(t.Context()))
}

func TestStatementsUnderATicketsLockArePlannedOnce(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s, err := store.Open(t.Context(), store.Config{URL: url + "&plan_cache_mode=auto", MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	user, ticket := newUser("a@example.com"), uuid.New()
	_, err = s.CreateUser(t.Context(), user)
	require.NoError(t, err)
	storetest.Exec(t, url, "INSERT INTO tickets (id, user_id, title, description) VALUES ($1, $2, 't', 'd')", ticket, user.ID)
	for range 3 {
		err := s.InTx(t.Context(), func(ctx context.Context) error {
			lock := sqlc.LockTicketAheadParams{ID: ticket, ActorID: user.ID}
			require.NoError(t, s.LockTicketAhead(store.Ahead(ctx), lock))
			_, err := s.FindTurn(ctx, sqlc.FindTurnParams{ID: ticket, ActorID: user.ID})
			return err
		})
		require.NoError(t, err)
	}
	var generic, custom int
	require.NoError(t, store.QueryRow(t.Context(), s, `
		SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '-- name: FindTurn %'`,
	).Scan(&generic, &custom))
	require.Equal(t, 3, generic)
	require.Zero(t, custom)
	mode, err := store.Setting(t.Context(), s, "plan_cache_mode")
	require.NoError(t, err)
	require.Equal(t, "auto", mode, "after the transaction")
}
