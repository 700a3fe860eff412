package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/journal"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/uuid7"
)

// replica is one of the processes that share a database.
type replica struct {
	store   *store.Store
	journal *journal.Service
}

// newReplica returns a replica on the database. It runs until stop is called or the test ends.
func newReplica(t *testing.T, databaseURL string) (r replica, stop func()) {
	t.Helper()
	r = idleReplica(t, databaseURL)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.journal.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	return r, stop
}

// idleReplica returns a replica whose sequencer does not run.
func idleReplica(t *testing.T, databaseURL string) replica {
	t.Helper()
	s := storetest.Open(t, databaseURL)
	return replica{store: s, journal: journal.NewService(s, journal.Options{
		Kept: 24 * time.Hour, Metrics: metrics.NewSet(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})}
}

func entryOf(n int) sqlc.CreateJournalEntryParams {
	return sqlc.CreateJournalEntryParams{
		Type: "ticket.updated", ActorKind: sqlc.ActorKindSystem, TicketID: new(uuid7.New()),
		Data: fmt.Appendf(nil, `{"n": %d}`, n),
	}
}

// read reads the journal after a position until it has count entries.
func (r replica) read(t *testing.T, after int64, count int) (entries []journal.Entry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(entries) < count {
		require.NoError(t, r.journal.Wait(ctx, after))
		page, err := r.journal.Read(ctx, after, 100)
		require.NoError(t, err)
		for _, e := range page {
			require.Equal(t, after+1, e.Position, "positions have gaps")
			after = e.Position
		}
		entries = append(entries, page...)
	}
	return entries
}

func TestEntriesAreReadInCommitOrder(t *testing.T) {
	t.Parallel()
	r, _ := newReplica(t, storetest.NewURL(t))
	for n := range 5 {
		require.NoError(t, r.store.CreateJournalEntry(t.Context(), entryOf(n)))
	}
	for n, e := range r.read(t, 0, 5) {
		require.Equal(t, "ticket.updated", e.Type)
		require.JSONEq(t, fmt.Sprintf(`{"n": %d}`, n), string(e.Data))
		require.WithinDuration(t, time.Now(), e.OccurredAt, time.Minute)
	}
}

// A replica serves requests before the first pass of its sequencer.
func TestNewReplicaReturnsExistingEntries(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	r, _ := newReplica(t, url)
	require.NoError(t, r.store.CreateJournalEntry(t.Context(), entryOf(0)))
	r.read(t, 0, 1)
	late := idleReplica(t, url)
	page, err := late.journal.Find(t.Context(), auth.Actor{Role: sqlc.UserRoleAdmin}, journal.Filter{}, new(int64(0)), 10, 0)
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	require.EqualValues(t, 1, page.Head)
}

// An open transaction delays only its own entry, and a rollback leaves no gap.
func TestLateCommitGetsALaterPosition(t *testing.T) {
	t.Parallel()
	r, _ := newReplica(t, storetest.NewURL(t))
	errUndone := errors.New("undone")
	require.NoError(t, r.store.InTx(t.Context(), func(ctx context.Context) error {
		if err := r.store.CreateJournalEntry(ctx, entryOf(0)); err != nil {
			return err
		}
		require.ErrorIs(t, r.store.InTx(context.Background(), func(ctx context.Context) error {
			return errors.Join(r.store.CreateJournalEntry(ctx, entryOf(1)), errUndone)
		}), errUndone)
		require.NoError(t, r.store.CreateJournalEntry(context.Background(), entryOf(2)))
		r.read(t, 0, 1)
		return nil
	}))
	entries := r.read(t, 0, 2)
	require.JSONEq(t, `{"n": 2}`, string(entries[0].Data))
	require.JSONEq(t, `{"n": 0}`, string(entries[1].Data))
}

// Other replicas read what a replica has committed, even if it stopped before its sequencer ran.
func TestAnyReplicaMovesEntriesOfOthers(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	dead := idleReplica(t, url)
	first, stop := newReplica(t, url)
	second, _ := newReplica(t, url)
	require.NoError(t, dead.store.CreateJournalEntry(t.Context(), entryOf(0)))
	first.read(t, 0, 1)
	second.read(t, 0, 1)
	stop()
	require.NoError(t, dead.store.CreateJournalEntry(t.Context(), entryOf(1)))
	second.read(t, 1, 1)
}

// Entries of one ticket, whose writers hold its lock, keep their order, whichever replicas write and move them.
func TestEntriesOfATicketKeepTheirOrder(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 20
	url := storetest.NewURL(t)
	ticket := uuid7.New()
	storetest.Exec(t, url, `WITH u AS (INSERT INTO users (id, email, password_hash, role) VALUES ($1, 'a@b.example', '!', 'user') RETURNING id)
		INSERT INTO tickets (id, user_id, title, description) SELECT $1, id, 't', 'd' FROM u`, ticket)
	var replicas []replica
	for range 3 {
		r, _ := newReplica(t, url)
		replicas = append(replicas, r)
	}
	var writing sync.WaitGroup
	var order []int
	for w := range writers {
		r := replicas[w%len(replicas)]
		writing.Go(func() {
			for i := range each {
				n := w*each + i
				require.NoError(t, r.store.InTx(context.Background(), func(ctx context.Context) error {
					if _, err := r.store.LockTicket(ctx, sqlc.LockTicketParams{ID: ticket, ActorID: ticket}); err != nil {
						return err
					}
					order = append(order, n) // The ticket's lock protects order.
					return r.store.CreateJournalEntry(ctx, entryOf(n))
				}))
			}
		})
	}
	writing.Wait()
	for i, e := range replicas[0].read(t, 0, writers*each) {
		require.JSONEq(t, fmt.Sprintf(`{"n": %d}`, order[i]), string(e.Data))
	}
}

func TestJournalAddsAndDropsPartitions(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	r := idleReplica(t, url)
	partitions := func() string {
		return storetest.QueryText(t, url,
			"SELECT string_agg(first_position || '+' || size, ' ' ORDER BY first_position) FROM journal_partitions")
	}
	fill := func(entries int, age string) {
		storetest.Exec(t, url, `INSERT INTO journal_outbox (type, actor_kind, occurred_at)
			SELECT 'ticket.updated', 'system', now() - $2::interval FROM generate_series(1, $1::integer)`, entries, age)
		for storetest.QueryInt(t, url, "SELECT count(*) FROM journal_outbox") > 0 {
			_, err := r.store.SequenceJournal(t.Context(), sqlc.SequenceJournalParams{MaxRows: 5000})
			require.NoError(t, err)
		}
	}
	require.Equal(t, "1+10000", partitions())
	fill(10_001, "10 days")
	require.Equal(t, "1+10000 10001+10000", partitions(), "a slow desk keeps the size")
	fill(19_999, "0")
	require.Equal(t, "1+10000 10001+10000 20001+10000 30001+20000", partitions(), "a busy desk gets larger ones")

	require.NoError(t, r.journal.Trim(t.Context()))
	require.Equal(t, "10001+10000 20001+10000 30001+20000", partitions(), "the whole first partition was too old")
	state, err := r.journal.State(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 30_000, state.Head)
	require.EqualValues(t, 10_001, state.Oldest)
	require.Zero(t, state.Waiting)
	require.Equal(t, 20_000, storetest.QueryInt(t, url, "SELECT count(*) FROM journal"))
	require.Equal(t, 30_000, storetest.QueryInt(t, url, "SELECT max(position) FROM journal"))
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r, _ := newReplica(t, storetest.NewURL(t))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.journal.Wait(ctx, 0), context.DeadlineExceeded)
}
