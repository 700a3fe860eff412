package store_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/uuid7"
)

// cut ends all sessions of the store, as a restart of the database does. The store does not know yet.
const cut = `SELECT count(pg_terminate_backend(pid, 5000))
	FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'support'`

// crowd runs f on all of the store's connections at the same time. It ignores errors that took as long as the longest
// wait for a connection, because the machine was too busy to open one.
func crowd(t *testing.T, n int, f func() error) []error {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			begin := time.Now()
			errs[i] = f()
			if time.Since(begin) > 2*time.Second && (apperr.Is(errs[i], apperr.DBUnavailable) || apperr.Is(errs[i], apperr.DBBusy)) {
				t.Log("the machine is busy:", errs[i])
				errs[i] = nil
			}
		})
	}
	wg.Wait()
	return errs
}

func TestReadsAndTransactionsSurviveTheLossOfEveryConnection(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s := storetest.Open(t, url)
	user, err := s.CreateUser(t.Context(), newUser("ada@example.com"))
	require.NoError(t, err)
	for name, f := range map[string]func() error{
		"one row": func() error {
			_, err := s.GetUser(t.Context(), user.ID)
			return err
		},
		"many rows": func() error {
			_, err := s.ListTicketsByUser(t.Context(), sqlc.ListTicketsByUserParams{UserID: user.ID, MaxRows: 10})
			return err
		},
		"transaction": func() error {
			return s.InTx(t.Context(), func(ctx context.Context) error {
				_, err := s.CreateUser(ctx, newUser(uuid.NewString()+"@example.com"))
				return err
			})
		},
	} {
		for range 3 {
			for _, err := range crowd(t, 8, f) {
				require.NoError(t, err)
			}
			require.Positive(t, storetest.QueryInt(t, url, cut))
			for _, err := range crowd(t, 8, f) {
				require.NoError(t, err, name)
			}
		}
	}
}

func TestWriteOnALostConnectionFailsOrSucceedsOnce(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s := storetest.Open(t, url)
	var done atomic.Int64
	for range 5 {
		for _, err := range crowd(t, 8, func() error { return s.Ready(t.Context()) }) {
			require.NoError(t, err)
		}
		require.Positive(t, storetest.QueryInt(t, url, cut))
		for _, err := range crowd(t, 8, func() error {
			_, err := s.CreateUser(t.Context(), newUser(uuid.NewString()+"@example.com"))
			if err == nil {
				done.Add(1)
			}
			return err
		}) {
			if err == nil {
				continue
			}
			require.True(t, apperr.Is(err, apperr.DBUnavailable), "%v", err)
		}
	}
	require.Equal(t, int(done.Load()), storetest.QueryInt(t, url, "SELECT count(*) FROM users"))
}

// losing makes the first n writes to users fail with the SQLSTATE of a conflict.
func losing(t *testing.T, url, sqlstate string, n int) {
	t.Helper()
	storetest.Exec(t, url, "CREATE SEQUENCE tries")
	storetest.Exec(t, url, `CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('tries') <= `+strconv.Itoa(n)+` THEN RAISE EXCEPTION USING ERRCODE = '`+sqlstate+`'; END IF;
			RETURN NEW;
		END $$`)
	storetest.Exec(t, url, "CREATE TRIGGER lose BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION lose()")
}

func TestWriteWithAConflictIsRetriedThreeTimes(t *testing.T) {
	t.Parallel()
	for _, sqlstate := range []string{"40001", "40P01"} {
		for _, way := range []string{"by itself", "in a transaction"} {
			t.Run(sqlstate+" "+way, func(t *testing.T) {
				t.Parallel()
				for losses, want := range map[int]int{3: 4, 100: 4} {
					url := storetest.NewURL(t)
					s := storetest.Open(t, url)
					losing(t, url, sqlstate, losses)
					err := write(t, s, way)
					require.Equal(t, want, storetest.QueryInt(t, url, "SELECT last_value FROM tries"))
					if losses == 3 {
						require.NoError(t, err)
						require.Equal(t, 1, storetest.QueryInt(t, url, "SELECT count(*) FROM users"))
						continue
					}
					require.True(t, apperr.Is(err, apperr.DBBusy), "%v", err)
					require.Positive(t, apperr.From(err).RetryAfter)
				}
			})
		}
	}
}

func write(t *testing.T, s *store.Store, way string) error {
	t.Helper()
	if way == "by itself" {
		_, err := s.CreateUser(t.Context(), newUser("ada@example.com"))
		return err
	}
	return s.InTx(t.Context(), func(ctx context.Context) error {
		_, err := s.CreateUser(ctx, newUser("ada@example.com"))
		return err
	})
}

func TestPlanOfAnOlderSchemaIsReplaced(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	user, err := s.CreateUser(t.Context(), newUser("ada@example.com"))
	require.NoError(t, err)
	for range 2 {
		_, err = s.GetUser(t.Context(), user.ID)
		require.NoError(t, err)
	}
	storetest.Exec(t, url, "ALTER TABLE users ALTER COLUMN password_hash TYPE varchar(255)")
	_, err = s.GetUser(t.Context(), user.ID)
	require.NoError(t, err)
}

// A migration that adds a column waits for no lock of a request, and may change the table in the middle of a function that
// returns its rows.
func TestWriteWhileAMigrationAddsAColumnHasItsEffectOnce(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(s *store.Store, add func(context.Context) error) error{
		"by itself": func(_ *store.Store, add func(context.Context) error) error { return add(t.Context()) },
		"in a transaction": func(s *store.Store, add func(context.Context) error) error {
			return s.InTx(t.Context(), add)
		},
		"last in a transaction": func(s *store.Store, add func(context.Context) error) error {
			return s.InTx(t.Context(), func(ctx context.Context) error { return add(store.Last(ctx)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, s, add := newWriter(t)
			release := storetest.Hold(t, url, "SELECT FROM tickets FOR UPDATE")
			ended := make(chan error, 1)
			go func() { ended <- run(s, add) }()
			storetest.AwaitWaiting(t, url, 1)
			storetest.Exec(t, url, "ALTER TABLE messages ADD COLUMN added text")
			release()
			require.NoError(t, <-ended)
			require.Equal(t, 1, storetest.QueryInt(t, url, "SELECT count(*) FROM messages"))
		})
	}
}

// PostgreSQL's functions keep plans for a column's type until their session ends.
func TestSessionsWithStalePlansAreReplaced(t *testing.T) {
	t.Parallel()
	url, _, add := newWriter(t)
	var added atomic.Int64
	for _, columnType := range []string{"varchar", "text", "varchar", "text"} {
		storetest.Exec(t, url, "ALTER TABLE messages ALTER COLUMN client_id TYPE "+columnType)
		for _, err := range crowd(t, 8, func() error {
			err := add(t.Context())
			if err == nil {
				added.Add(1)
			}
			return err
		}) {
			require.NoError(t, err, columnType)
		}
	}
	require.EqualValues(t, added.Load(), storetest.QueryInt(t, url, "SELECT count(*) FROM messages"))
}

// newWriter returns a function that adds a message to a ticket of its own.
func newWriter(t *testing.T) (url string, s *store.Store, add func(context.Context) error) {
	t.Helper()
	url = storetest.NewURL(t)
	s = storetest.Open(t, url)
	user, ticket := newUser("a@example.com"), uuid.New()
	_, err := s.CreateUser(t.Context(), user)
	require.NoError(t, err)
	storetest.Exec(t, url, "INSERT INTO tickets (id, user_id, title, description) VALUES ($1, $2, 't', 'd')", ticket, user.ID)
	return url, s, func(ctx context.Context) error {
		_, err := s.CreateMessage(ctx, sqlc.CreateMessageParams{
			ID: uuid7.New(), TicketID: ticket, ActorID: user.ID, ActorKind: sqlc.ActorKindCustomer, Content: "hello", ChangeID: uuid7.New(),
		})
		return err
	}
}
