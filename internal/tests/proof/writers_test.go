package proof_test

import (
	"context"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/journal"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/uuid7"
)

// writersFigures are how many messages writers add in a second, each in one statement, in tickets of their own.
type writersFigures struct {
	Writers       int     `json:"writers"`
	WithJournal   float64 `json:"messages_per_second_with_journal"`
	Without       float64 `json:"messages_per_second_without"`
	Ratio         float64 `json:"ratio"`
	EntriesMoved  int     `json:"entries_moved"`
	MissingInBare int     `json:"entries_without_journal"`
}

// bare sends statements without what they add to the journal.
type bare struct{ *pgxpool.Pool }

func (b bare) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return b.Pool.QueryRow(ctx, withoutJournal(sql), args...)
}

var (
	bareTexts   sync.Map
	placeholder = regexp.MustCompile(`\$\d+\b`)
)

// withoutJournal returns a statement whose part for the journal does nothing. What only that part takes still needs a type.
func withoutJournal(sql string) string {
	if text, known := bareTexts.Load(sql); known {
		return text.(string)
	}
	const begin = "journal AS ("
	before, rest, found := strings.Cut(sql, begin)
	if !found {
		panic("the statement adds nothing to the journal")
	}
	depth, end := 1, 0
	for depth > 0 {
		switch rest[end] {
		case '(':
			depth++
		case ')':
			depth--
		}
		end++
	}
	part, after := rest[:end-1], rest[end-1:]
	nothing := "SELECT"
	for _, name := range placeholder.FindAllString(part, -1) {
		if !slices.Contains(placeholder.FindAllString(before+after, -1), name) && !strings.Contains(nothing, name) {
			nothing += " " + name + "::actor_kind"
		}
	}
	text := before + begin + nothing + after
	bareTexts.Store(sql, text)
	return text
}

// The same statements, with their part for the journal and the work of the sequencer, and without both, take turns.
func TestWritersKeepTheirThroughput(t *testing.T) {
	t.Parallel()
	p := thePlan()
	url := p.database(t)
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	config.MaxConns = 16
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	storetest.Exec(t, url, "INSERT INTO users (id, email, password_hash, role) SELECT $1, 'w@proof.example', '!', 'user'", ticketID(0))
	for n := range int(config.MaxConns) {
		storetest.Exec(t, url, "INSERT INTO tickets (id, user_id, title, description) VALUES ($1, $2, 't', 'd')", ticketID(n), ticketID(0))
	}
	var count [2]int
	var took [2]time.Duration
	waiting := func() int { return storetest.QueryInt(t, url, "SELECT count(*) FROM journal_outbox") }
	f := writersFigures{Writers: int(config.MaxConns)}
	for round := range 2 * p.rounds {
		mode := (round + round/2) % 2 // 0 1 1 0 0 1 1 0 …, so that what grows meanwhile costs both the same.
		begin := time.Now()
		if mode == 0 {
			count[0] += addMessages(t, sqlc.New(bare{pool}), f.Writers, p.round)
			f.MissingInBare += waiting()
		} else {
			stop := sequence(t, url)
			count[1] += addMessages(t, sqlc.New(pool), f.Writers, p.round)
			require.Eventually(t, func() bool { return waiting() == 0 }, time.Minute, time.Millisecond)
			stop()
		}
		took[mode] += time.Since(begin)
	}
	f.EntriesMoved = storetest.QueryInt(t, url, "SELECT position FROM journal_head")
	require.Equal(t, count[1], f.EntriesMoved)
	require.Zero(t, f.MissingInBare)
	f.Without, f.WithJournal = float64(count[0])/took[0].Seconds(), float64(count[1])/took[1].Seconds()
	f.Ratio = f.WithJournal / f.Without
	printFigures(t, f)
}

// addMessages adds messages for a time, and returns how many there were.
func addMessages(t *testing.T, q *sqlc.Queries, writers int, d time.Duration) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var added atomic.Int64
	var writing sync.WaitGroup
	for n := range writers {
		writing.Go(func() {
			for ctx.Err() == nil {
				_, err := q.CreateMessage(context.WithoutCancel(ctx), sqlc.CreateMessageParams{
					ID: uuid7.New(), ActorID: ticketID(0), Content: "My invoice is wrong: I was charged twice.", TicketID: ticketID(n),
					ChangeID: uuid.New(), ActorKind: sqlc.ActorKindCustomer,
				})
				if err != nil {
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

func TestPartForTheJournalIsCutOut(t *testing.T) {
	t.Parallel()
	require.Equal(t, "WITH a AS (SELECT $1), journal AS (SELECT $3::actor_kind) SELECT $2",
		withoutJournal("WITH a AS (SELECT $1), journal AS (INSERT INTO o SELECT $3, $1, f($3) FROM (a)) SELECT $2"))
}
