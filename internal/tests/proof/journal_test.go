//go:build proof

package proof_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const (
	// maxCommitToReadable is the limit of the p99 from a commit to a reader, in milliseconds, on 2 quiet cores;
	// maxTakeOver is the limit of the time without a sequencer.
	maxCommitToReadable = 150.0
	maxTakeOver         = 10 * time.Second
)

// prepare adds tables in which triggers record each entry in its own transaction, with its place in the order of its
// ticket's lock.
const prepare = `
CREATE TABLE proof (name uuid PRIMARY KEY, ticket uuid NOT NULL, place bigint NOT NULL);
CREATE TABLE proof_places (ticket uuid PRIMARY KEY, place bigint NOT NULL);
CREATE FUNCTION prove() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH next AS (
        INSERT INTO public.proof_places VALUES (NEW.ticket_id, 1)
        ON CONFLICT (ticket) DO UPDATE SET place = proof_places.place + 1
        RETURNING place
    )
    INSERT INTO public.proof SELECT NEW.subject_id, NEW.ticket_id, next.place FROM next;
    RETURN NULL;
END;
$$;
CREATE TRIGGER prove AFTER INSERT ON journal_outbox FOR EACH ROW WHEN (NEW.ticket_id IS NOT NULL) EXECUTE FUNCTION prove();`

// commits holds the times at which writers' commits returned, by the entry's name.
type commits struct {
	mu sync.Mutex
	at map[uuid.UUID]time.Time
}

func (c *commits) note(name uuid.UUID, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[name] = at
}

// milliseconds are percentiles of durations.
type milliseconds struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

func shares(took []time.Duration) (ms milliseconds) {
	if len(took) == 0 {
		return ms
	}
	slices.SortFunc(took, cmp.Compare)
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	return milliseconds{at(.5), at(.99)}
}

// journalFigures is the output of the proof of the journal.
type journalFigures struct {
	Entries          int          `json:"entries"`
	PerSecond        float64      `json:"measured_entries_per_second"`
	CommitToReadable milliseconds `json:"commit_to_readable_ms"`
	MeasuredReaders  int          `json:"readers_while_measured"`
	Readers          int          `json:"readers"`
	Sightings        int          `json:"sightings"`
	Kills            int          `json:"kills"`
	Freezes          int          `json:"freezes"`
	FrozenSeconds    float64      `json:"frozen_seconds"`
	OpenSeconds      float64      `json:"open_transaction_seconds"`
	TakeOver         float64      `json:"longest_take_over_ms"`
	Webhooks         int          `json:"webhooks"`
	Deliveries       int          `json:"deliveries"`
	Repeated         int          `json:"deliveries_repeated"`
	Restored         int          `json:"restored_entries"`
	Continued        int          `json:"entries_after_restore"`
}

// proof is a whole installation, its readers, and the records of both.
type proof struct {
	plan
	url      string
	token    string
	replicas *replicas
	commits  *commits
	crowd    *crowd
	receiver *receiver
	figures  journalFigures
}

func TestEveryCommittedEntryIsReadOnce(t *testing.T) {
	t.Parallel()
	p := newProof(t)
	p.startReaders(t, p.measuring)
	<-time.After(p.warm)
	begin := time.Now()
	<-time.After(p.quiet)
	end := time.Now()
	p.startReaders(t, p.readers-p.measuring)
	p.breakThings(t)
	copied := dump(t, p.url)
	for _, r := range p.replicas.all {
		r.kill()
	}
	p.replicas.become(startReplica(t, p.url, replicaOptions{})) // This replica writes nothing, so that the journal has an end.
	journal := p.crowd.finish(t, p.url)
	checkJournal(t, p.url, len(journal))
	p.crowd.check(t, journal)
	p.measure(begin, end, len(journal))
	p.receiver.drain(t, p.url, p.full)
	p.figures.Deliveries, p.figures.Repeated = p.receiver.check(t, p.url)
	p.goOn(t, copied)
	printFigures(t, p.figures)
	require.Less(t, p.figures.TakeOver, float64(maxTakeOver.Milliseconds()))
	if p.full {
		require.Less(t, p.figures.CommitToReadable.P99, maxCommitToReadable)
	}
}

// newProof starts an installation whose replicas write, with webhooks.
func newProof(t *testing.T) *proof {
	t.Helper()
	p := &proof{plan: thePlan(), replicas: &replicas{}, commits: &commits{at: make(map[uuid.UUID]time.Time)}}
	p.url = p.database(t)
	storetest.Exec(t, p.url, prepare)
	s := desk.New(t, desk.Options{DatabaseURL: p.url, NoAI: true})
	p.token = s.Staff(t, sqlc.UserRoleAdmin).Token
	for n := range tickets {
		storetest.Exec(t, p.url, "INSERT INTO tickets (id, user_id, title, description) SELECT $1, id, 't', 'd' FROM users LIMIT 1", ticketID(n))
	}
	for range p.plan.replicas {
		p.replicas.all = append(p.replicas.all, p.begin(t))
	}
	p.crowd = newCrowd(t, p.token, p.replicas)
	p.receiver = newReceiver(t)
	for range p.webhooks {
		p.receiver.subscribe(t, p.url, p.replicas.all[0].client(p.token))
	}
	p.figures = journalFigures{
		Kills: p.kills, Freezes: p.kills, FrozenSeconds: p.frozen.Seconds(), OpenSeconds: p.open.Seconds(),
		MeasuredReaders: p.measuring, Readers: p.readers, Webhooks: p.webhooks,
	}
	return p
}

// begin starts a replica that does its share of the writing.
func (p *proof) begin(t *testing.T) *replica {
	t.Helper()
	n := p.plan.replicas
	return startReplica(t, p.url, replicaOptions{writers: p.writers / n, rate: p.rate / n, committed: p.commits.note})
}

// startReaders starts readers of all kinds at random positions of the journal.
func (p *proof) startReaders(t *testing.T, count int) {
	t.Helper()
	head := storetest.QueryInt(t, p.url, "SELECT position FROM journal_head")
	for i := range count {
		from := int64(0)
		if i >= 2 {
			from = rand.Int64N(int64(head) + 1)
		}
		p.crowd.add(from)
	}
}

// breakThings leaves a transaction open, and repeatedly kills and freezes the replica that moves entries.
func (p *proof) breakThings(t *testing.T) {
	t.Helper()
	stall, late := watchStalls(t, p.url), openTransaction(t, p.url, p.open)
	for range p.kills {
		victim := p.replicas.sequencing(t, p.url)
		p.replicas.all[victim].kill()
		p.replicas.replace(victim, p.begin(t))
		p.replicas.all[p.replicas.sequencing(t, p.url)].freeze(p.frozen)
	}
	late()
	p.figures.TakeOver = float64(stall().Milliseconds())
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

// watchStalls returns a function that returns the longest time in which committed entries waited and none was moved.
func watchStalls(t *testing.T, url string) (longest func() time.Duration) {
	t.Helper()
	ended := make(chan struct{})
	var most time.Duration
	var watching sync.WaitGroup
	watching.Go(func() {
		moved, head := time.Now(), 0
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			now := storetest.QueryInt(t, url, "SELECT CASE WHEN EXISTS (SELECT FROM journal_outbox) THEN position ELSE -1 END FROM journal_head")
			if now != head || now < 0 {
				moved, head = time.Now(), now
			}
			most = max(most, time.Since(moved))
		}
	})
	return func() time.Duration {
		close(ended)
		watching.Wait()
		return most
	}
}

// checkJournal checks that the journal is dense, has every committed entry once and no rolled-back one, and keeps the
// order of each ticket's lock.
func checkJournal(t *testing.T, url string, entries int) {
	t.Helper()
	count := func(sql string) int { return storetest.QueryInt(t, url, sql) }
	require.Equal(t, entries, count("SELECT max(position) FROM journal"), "positions have gaps")
	require.Zero(t, count(`SELECT count(*) FROM proof AS p WHERE (SELECT count(*) FROM journal AS j
		WHERE j.subject_id = p.name AND j.ticket_id = p.ticket) <> 1`), "a committed entry is not there exactly once")
	require.Equal(t, count("SELECT count(*) FROM proof"), count("SELECT count(*) FROM journal WHERE ticket_id IS NOT NULL"),
		"an entry was never committed")
	require.Zero(t, count(`SELECT count(*) FROM (
		SELECT p.place, row_number() OVER (PARTITION BY p.ticket ORDER BY j.position) AS read
		FROM proof AS p JOIN journal AS j ON j.subject_id = p.name
	) AS o WHERE o.place <> o.read`), "a ticket's entries are not in the order of its lock")
}

// measure computes the times from a commit to a streaming reader, while nothing was broken.
func (p *proof) measure(begin, end time.Time, entries int) {
	f := &p.figures
	f.Entries, f.Sightings = entries, p.crowd.sightings()
	var took []time.Duration
	for _, s := range p.crowd.readers[0].seen {
		if at, known := p.commits.at[s.name]; known && at.After(begin) && at.Before(end) {
			took = append(took, max(0, s.at.Sub(at)))
		}
	}
	f.CommitToReadable, f.PerSecond = shares(took), float64(len(took))/end.Sub(begin).Seconds()
}

// goOn restores the dump into another database, and checks that the journal and its readers continue there: their
// positions stay valid, and new entries follow.
func (p *proof) goOn(t *testing.T, copied string) {
	t.Helper()
	original := p.url
	p.url = p.restore(t, copied)
	head := int64(storetest.QueryInt(t, p.url, "SELECT position FROM journal_head"))
	const digest = "SELECT coalesce(md5(string_agg(position || type || subject_id, ',' ORDER BY position)), '') FROM journal WHERE position <= $1"
	require.Equal(t, storetest.QueryText(t, original, digest, head), storetest.QueryText(t, p.url, digest, head))
	p.receiver.forget(t, p.url)
	p.replicas = &replicas{all: []*replica{p.begin(t)}}
	p.crowd = newCrowd(t, p.token, p.replicas)
	for _, behind := range []int64{0, 10, head / 2} {
		p.crowd.add(max(0, head-behind))
	}
	<-time.After(p.restored)
	require.Eventually(t, func() bool {
		return int64(storetest.QueryInt(t, p.url, "SELECT position FROM journal_head")) > head
	}, time.Minute, 20*time.Millisecond, "the restored journal does not go on")
	p.replicas.all[0].kill()
	p.replicas.become(startReplica(t, p.url, replicaOptions{}))
	journal := p.crowd.finish(t, p.url)
	checkJournal(t, p.url, len(journal))
	p.crowd.check(t, journal)
	p.receiver.drain(t, p.url, false)
	p.receiver.check(t, p.url)
	p.figures.Restored, p.figures.Continued = int(head), len(journal)-int(head)
}
