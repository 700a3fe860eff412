package proof_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// plan is how much the proof does.
type plan struct {
	replicas, writers, readers int
	// rate is how many transactions begin in a second, on all replicas.
	rate int
	// quiet is how long the figures are measured for, before anything breaks, and open how long one transaction stays open.
	quiet, open, frozen time.Duration
	kills               int
}

// shortPlan is for the gate, and fullPlan for `task proof:journal`.
var (
	shortPlan = plan{replicas: 2, writers: 10, readers: 6, rate: 60, quiet: 2 * time.Second, open: 3 * time.Second, frozen: time.Second, kills: 1}
	fullPlan  = plan{replicas: 3, writers: 51, readers: 20, rate: 625, quiet: 20 * time.Second, open: time.Minute, frozen: 12 * time.Second, kills: 5}
)

// prepare adds tables in which the database itself notes, in the transaction of each entry, that it was written, and its place
// in the order of its ticket's lock.
const prepare = `
CREATE TABLE proof (name uuid PRIMARY KEY, ticket uuid NOT NULL, place bigint NOT NULL);
CREATE TABLE proof_places (ticket uuid PRIMARY KEY, place bigint NOT NULL);
CREATE FUNCTION prove() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH next AS (
        INSERT INTO proof_places VALUES (NEW.ticket_id, 1)
        ON CONFLICT (ticket) DO UPDATE SET place = proof_places.place + 1
        RETURNING place
    )
    INSERT INTO proof SELECT NEW.subject_id, NEW.ticket_id, next.place FROM next;
    RETURN NULL;
END;
$$;
CREATE TRIGGER prove AFTER INSERT ON journal_outbox FOR EACH ROW WHEN (NEW.ticket_id IS NOT NULL) EXECUTE FUNCTION prove();`

// commits are when the writers' commits returned, by the entry's name.
type commits struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (c *commits) note(name string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[name] = at
}

// figures are what the proof prints.
type figures struct {
	Entries       int     `json:"entries"`
	Readers       int     `json:"readers"`
	Sightings     int     `json:"sightings"`
	PerSecond     float64 `json:"entries_per_second"`
	MillisecondsP struct {
		P50 float64 `json:"p50"`
		P99 float64 `json:"p99"`
	} `json:"commit_to_readable_ms"`
	Kills         int `json:"kills"`
	OpenSeconds   int `json:"open_transaction_seconds"`
	FrozenSeconds int `json:"frozen_seconds"`
}

func TestEveryCommittedEntryIsReadOnce(t *testing.T) {
	t.Parallel()
	p := shortPlan
	if os.Getenv("PROOF") == "full" {
		p = fullPlan
	}
	url := storetest.NewURL(t)
	storetest.Exec(t, url, prepare)
	s := apitest.New(t, apitest.Options{DatabaseURL: url, NoAI: true})
	agent := s.Staff(t, sqlc.UserRoleAdmin)
	for n := range tickets {
		storetest.Exec(t, url, "INSERT INTO tickets (id, user_id, title, description) SELECT $1, id, 't', 'd' FROM users LIMIT 1", ticketID(n))
	}
	seen := &commits{at: make(map[string]time.Time)}
	rs := &replicas{}
	begin := func() *replica {
		return startReplica(t, url, p.writers/p.replicas, p.rate/p.replicas, seen.note)
	}
	for range p.replicas {
		rs.all = append(rs.all, begin())
	}

	readers, finish := startReaders(t, p, rs, agent.Token, url)
	<-time.After(p.quiet)
	quietEnd := time.Now()
	late := openTransaction(t, url, p.open)
	for range p.kills {
		victim := rand.IntN(p.replicas)
		rs.all[victim].kill()
		rs.replace(victim, begin())
		rs.all[rand.IntN(p.replicas)].freeze(p.frozen)
	}
	late()
	for _, r := range rs.all {
		r.kill()
	}
	rs.replace(0, startReplica(t, url, 0, 1, seen.note)) // One that only serves, so that there is an end.
	for i := range p.replicas {
		rs.replace(i, rs.all[0])
	}
	journal := finish()
	checkJournal(t, url, len(journal))
	f := figures{
		Entries: len(journal), Readers: len(readers), Kills: p.kills, OpenSeconds: int(p.open.Seconds()), FrozenSeconds: int(p.frozen.Seconds()),
	}
	f.measure(p, readers, seen, quietEnd)
	for _, r := range readers {
		r.check(t, journal)
	}
	checkRestored(t, url, len(journal))
	raw, err := json.Marshal(f)
	require.NoError(t, err)
	fmt.Fprintln(os.Stdout, string(raw))
	if p == fullPlan {
		require.Less(t, f.MillisecondsP.P99, 150.0)
	}
}

// startReaders starts readers, of which the half stream, at positions that the journal has at random moments. finish waits until
// all have read to the end, and returns the subjects of the journal's entries in order.
func startReaders(t *testing.T, p plan, rs *replicas, token, url string) (readers []*reader, finish func() []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	var end struct {
		sync.Mutex
		position int64
	}
	done := func(position int64) bool {
		end.Lock()
		defer end.Unlock()
		return end.position > 0 && position >= end.position
	}
	var running sync.WaitGroup
	for i := range p.readers {
		r := &reader{replicas: rs, token: token}
		if i >= 2 {
			r.from = rand.Int64N(20 * int64(i))
		}
		readers = append(readers, r)
		running.Go(func() { r.read(ctx, i%2 == 0, done) })
	}
	return readers, func() (journal []string) {
		require.Eventually(t, func() bool {
			return storetest.QueryInt(t, url, "SELECT count(*) FROM journal_outbox") == 0
		}, time.Minute, 50*time.Millisecond, "the outbox is not emptied")
		end.Lock()
		end.position = int64(storetest.QueryInt(t, url, "SELECT position FROM journal_head"))
		end.Unlock()
		running.Wait()
		require.NoError(t, ctx.Err(), "readers do not come to the end")
		text := storetest.QueryText(t, url, "SELECT json_agg(subject_id ORDER BY position)::text FROM journal")
		require.NoError(t, json.Unmarshal([]byte(text), &journal))
		return journal
	}
}

// openTransaction writes an entry in a transaction that stays open. The returned function waits for its commit.
func openTransaction(t *testing.T, url string, open time.Duration) (wait func()) {
	t.Helper()
	var running sync.WaitGroup
	running.Go(func() {
		storetest.Exec(t, url, fmt.Sprintf(`BEGIN; INSERT INTO journal_outbox (type, actor_kind, ticket_id, subject_id)
			VALUES ('ticket.updated', 'system', '%s', '%s'); SELECT pg_sleep(%f); COMMIT`, uuid.New(), uuid.New(), open.Seconds()))
	})
	return running.Wait
}

// checkJournal wants the journal to be dense, to have what was committed once and nothing that was undone, and to have the
// entries of each ticket in the order of its lock.
func checkJournal(t *testing.T, url string, entries int) {
	t.Helper()
	count := func(sql string) int { return storetest.QueryInt(t, url, sql) }
	require.Equal(t, entries, count("SELECT max(position) FROM journal"), "positions have no holes")
	require.Zero(t, count(`SELECT count(*) FROM proof AS p WHERE (SELECT count(*) FROM journal AS j WHERE j.subject_id = p.name AND j.ticket_id = p.ticket) <> 1`),
		"a committed entry is not there exactly once")
	require.Equal(t, count("SELECT count(*) FROM proof"), count("SELECT count(*) FROM journal WHERE ticket_id IS NOT NULL"),
		"an entry was never committed")
	require.Zero(t, count(`SELECT count(*) FROM (
		SELECT p.place, row_number() OVER (PARTITION BY p.ticket ORDER BY j.position) AS read
		FROM proof AS p JOIN journal AS j ON j.subject_id = p.name
	) AS o WHERE o.place <> o.read`), "a ticket's entries are not in the order of its lock")
}

// measure computes how long it took from a commit to the first reader that streams, while nothing was broken.
func (f *figures) measure(p plan, readers []*reader, seen *commits, end time.Time) {
	var took []time.Duration
	for _, s := range readers[0].seen {
		if at, known := seen.at[s.event.SubjectID.String()]; known && at.Before(end) {
			took = append(took, max(0, s.at.Sub(at)))
		}
	}
	for _, r := range readers {
		f.Sightings += len(r.seen)
	}
	if len(took) == 0 {
		return
	}
	slices.SortFunc(took, cmp.Compare)
	ms := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	f.MillisecondsP.P50, f.MillisecondsP.P99 = ms(.5), ms(.99)
	f.PerSecond = float64(len(took)) / p.quiet.Seconds()
}

// checkRestored dumps the database, restores it as another, and wants the journal to go on there behind its last position.
func checkRestored(t *testing.T, url string, entries int) {
	t.Helper()
	dump := filepath.Join(t.TempDir(), "dump.sql")
	output, err := exec.CommandContext(t.Context(), postgresProgram(t, "pg_dump"), "--file", dump, url).CombinedOutput()
	require.NoError(t, err, "%s", output)
	restored := storetest.NewEmptyURL(t)
	output, err = exec.CommandContext(t.Context(), postgresProgram(t, "psql"), "--quiet", "--set", "ON_ERROR_STOP=1", "--file", dump, restored).CombinedOutput()
	require.NoError(t, err, "%s", output)
	storetest.Exec(t, restored, "INSERT INTO journal_outbox (type, actor_kind, ticket_id, subject_id) VALUES ('ticket.updated', 'system', $1, $2)", uuid.New(), uuid.New())
	storetest.Exec(t, restored, "SELECT journal_sequence(1000, false)")
	require.Equal(t, entries+1, storetest.QueryInt(t, restored, "SELECT position FROM journal_head"))
	require.Equal(t, entries+1, storetest.QueryInt(t, restored, "SELECT count(*) FROM journal"))
}

// postgresProgram is the newest one of that name on this machine.
func postgresProgram(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil && !strings.Contains(path, "/usr/bin/") {
		return path // Debian's own wrappers choose by cluster.
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	require.NoError(t, err)
	if len(found) == 0 {
		return name
	}
	return slices.Max(found)
}
