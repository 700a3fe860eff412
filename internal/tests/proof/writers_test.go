//go:build proof

package proof_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/journal"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/uuid7"
)

// minThroughput is the least share of throughput that writers keep when they do not saturate the machine.
const minThroughput = 0.95

// writersFigures are the messages per second of writers, each in a ticket of its own.
type writersFigures struct {
	Writers int `json:"writers"`
	// Think is the longest pause of a writer inside its transaction, while it holds the ticket's lock. Without a pause,
	// a message is one statement.
	Think       float64 `json:"think_ms"`
	WithJournal float64 `json:"messages_per_second_with_journal"`
	Without     float64 `json:"messages_per_second_without"`
	Ratio       float64 `json:"ratio"`
}

// bareFunction creates add_message_bare: add_message without the statements that write to the journal.
const bareFunction = `DO $do$ BEGIN
	EXECUTE regexp_replace(
		regexp_replace(
			replace(pg_get_functiondef('add_message'::regproc), 'add_message', 'add_message_bare'),
			'entered AS \(\s+INSERT INTO journal_outbox.*?\n    \),\s', ''
		),
		'INSERT INTO journal_outbox[^;]*;', 'NULL;', 'g'
	);
	ASSERT pg_get_functiondef('add_message_bare'::regproc) NOT LIKE '%journal_outbox%';
END $do$`

// bare adds messages without journal entries.
type bare struct{ sqlc.DBTX }

func (b bare) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return b.DBTX.QueryRow(ctx, strings.Replace(sql, "add_message(", "add_message_bare(", 1), args...)
}

// writers add messages to a database.
type writers struct {
	pool  *pgxpool.Pool
	think time.Duration
}

// Writers take turns with and without the journal, including the sequencer.
func TestWritersKeepTheirThroughput(t *testing.T) {
	t.Parallel()
	p := thePlan()
	url := p.database(t)
	storetest.Exec(t, url, bareFunction)
	const most = 50
	storetest.Exec(t, url, "INSERT INTO users (id, email, password_hash, role) SELECT $1, 'w@proof.example', '!', 'user'", ticketID(0))
	for n := range most {
		storetest.Exec(t, url, "INSERT INTO tickets (id, user_id, title, description) VALUES ($1, $2, 't', 'd')", ticketID(n), ticketID(0))
	}
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	config.MaxConns = most
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	for _, f := range []writersFigures{{Writers: most, Think: 200}, {Writers: 16}} {
		f.compare(t, writers{pool: pool, think: time.Duration(f.Think) * time.Millisecond}, url, p)
		printFigures(t, f)
		if p.full && f.Think > 0 {
			require.Greater(t, f.Ratio, minThroughput)
		}
	}
}

// compare runs writers with and without the journal in turns.
func (f *writersFigures) compare(t *testing.T, w writers, url string, p plan) {
	t.Helper()
	number := func(sql string) int { return storetest.QueryInt(t, url, sql) }
	before := number("SELECT position FROM journal_head")
	var count [2]int
	var took [2]time.Duration
	for round := range 2 * p.rounds {
		mode := (round + round/2) % 2 // 0 1 1 0 0 1 1 0 …, so that growing tables cost both the same.
		stop := func() {}
		if mode == 1 {
			stop = sequence(t, url)
		}
		begin := time.Now()
		count[mode] += w.write(t, f.Writers, mode == 1, p.round)
		if mode == 1 { // Moving the remaining entries is part of the work.
			require.Eventually(t, func() bool { return number("SELECT count(*) FROM journal_outbox") == 0 }, time.Minute, time.Millisecond)
		}
		took[mode] += time.Since(begin)
		stop()
	}
	require.Equal(t, count[1], number("SELECT position FROM journal_head")-before, "writers without the journal have added entries")
	f.Without, f.WithJournal = float64(count[0])/took[0].Seconds(), float64(count[1])/took[1].Seconds()
	f.Ratio = f.WithJournal / f.Without
}

// write adds messages for a duration, and returns how many.
func (w writers) write(t *testing.T, count int, journal bool, d time.Duration) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var added atomic.Int64
	var writing sync.WaitGroup
	for n := range count {
		writing.Go(func() {
			for ctx.Err() == nil {
				if err := w.add(context.WithoutCancel(ctx), n, journal); err != nil {
					t.Error(err)
					return
				}
				added.Add(1)
			}
		})
	}
	writing.Wait()
	return int(added.Load())
}

// add adds one message to a ticket.
func (w writers) add(ctx context.Context, ticket int, journal bool) error {
	message := sqlc.CreateMessageParams{
		ID: uuid7.New(), ActorID: ticketID(0), Content: "My invoice is wrong: I was charged twice.", TicketID: ticketID(ticket),
		ChangeID: uuid7.New(), ActorKind: sqlc.ActorKindCustomer,
	}
	queries := func(db sqlc.DBTX) *sqlc.Queries {
		if journal {
			return sqlc.New(db)
		}
		return sqlc.New(bare{db})
	}
	if w.think == 0 {
		_, err := queries(w.pool).CreateMessage(ctx, message)
		return err
	}
	return pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error {
		q := queries(tx)
		if _, err := q.LockTicket(ctx, sqlc.LockTicketParams{ID: message.TicketID, ActorID: message.ActorID}); err != nil {
			return err
		}
		<-time.After(rand.N(w.think))
		_, err := q.CreateMessage(ctx, message)
		return err
	})
}

// sequence runs the journal of one replica until stop is called.
func sequence(t *testing.T, url string) (stop func()) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 5})
	require.NoError(t, err)
	j := journal.NewService(s, journal.Options{Kept: time.Hour, Metrics: metrics.NewSet(), Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { j.Run(ctx) })
	return sync.OnceFunc(func() {
		cancel()
		running.Wait()
		s.Close()
	})
}
