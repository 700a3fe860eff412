//go:build chaos && linux

package chaos

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDatabaseGoesAwayUnderStreams(t *testing.T) {
	t.Parallel()
	const (
		// hangs is the longest that a request may take, whatever happens to the database.
		hangs = 7 * time.Second
		// recovers is how long the servers may take after the database accepts connections again.
		recovers = 5 * time.Second
	)
	c := newCluster(t, "PostgreSQL restarted fast, restarted immediately, stopped for 45 s, and crashed along with an owner, "+
		"under 50 streams each", 5*time.Minute)
	restart := func(takeAway func()) {
		takeAway()
		c.postgres.start(c.ctx, t)
	}
	all := slices.Concat(
		c.outage("restarted_fast", comingBack, func() { restart(func() { c.postgres.stop(t) }) }),
		c.outage("restarted_immediately", comingBack, func() { restart(func() { c.postgres.crash(c.ctx, t) }) }),
		c.outage("stopped", comingBack, func() {
			restart(func() {
				c.postgres.stop(t)
				c.sleep(45 * time.Second)
			})
		}),
		// No readers come late, because each new one makes the database write the WAL that it should lose here.
		c.outage("crashed_along_with_an_owner", staying, func() { c.loseEvents(c.replicas[0]) }),
	)
	c.add("readers", len(all))
	c.check(all)
	require.Less(t, c.most("request"), hangs)
	require.Less(t, c.most("recovery"), recovers)
}

// audience says what the readers do in an outage.
type audience struct {
	cuts int // how often every other reader disconnects and reconnects
	late int // how many readers arrive within the second in which the database stops
}

var (
	comingBack = audience{cuts: 10, late: 15}
	staying    = audience{}
)

// outage stops the database and starts it again during streams and other requests. It returns the readers after the end
// of their streams.
func (c *cluster) outage(name string, who audience, restart func()) []*reader {
	c.t.Helper()
	const (
		streams     = 50
		probedAfter = 6 * time.Second // after the database has returned
	)
	var readers []*reader
	var wg sync.WaitGroup
	for range streams / 2 {
		a := c.mustAnswer(c.replicas[0], plan{tokens: 320, speed: 40})
		first, second := c.newReader(a, c.replicas...), c.newReader(a, c.replicas...)
		second.cuts, second.cutBytes = who.cuts, 6000
		first.onText = func() { wg.Go(second.follow) }
		readers = append(readers, first, second)
		wg.Go(first.follow)
	}
	probing, stop := context.WithCancel(c.ctx)
	defer stop()
	var mu sync.Mutex
	var lastFailure time.Time
	for _, replica := range c.replicas[1:] {
		wg.Go(func() {
			c.probe(probing, replica, func() {
				mu.Lock()
				lastFailure = time.Now()
				mu.Unlock()
			})
		})
	}
	c.sleep(time.Duration(2000+c.random.IntN(4000)) * time.Millisecond)
	for range who.late {
		r, begin := c.newReader(readers[c.random.IntN(len(readers))].answer, c.replicas...), c.random.IntN(1000)
		readers = append(readers, r)
		wg.Go(func() {
			c.sleep(time.Duration(begin) * time.Millisecond)
			r.follow()
		})
	}
	begin := time.Now()
	restart()
	back := time.Now()
	c.lasted("away_"+name, back.Sub(begin))
	c.sleep(probedAfter)
	stop()
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	c.lasted("recovery", max(0, lastFailure.Sub(back)))
	return readers
}

// probe sends requests to a replica until ctx ends.
func (c *cluster) probe(ctx context.Context, at *replica, failed func()) {
	for ctx.Err() == nil {
		if !c.probeOnce(ctx, at) {
			failed()
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// probeOnce sends a request that needs the database. It returns false if the server responds that the database is
// unavailable. Any other failure is a violation.
func (c *cluster) probeOnce(ctx context.Context, at *replica) bool {
	begin := time.Now()
	list, err := c.api(at, c.customer).ListTicketsWithResponse(ctx, nil)
	if ctx.Err() != nil {
		return true
	}
	c.lasted("request", time.Since(begin))
	switch {
	case err != nil:
		c.violate("a request broke: %v", err)
	case list.StatusCode() == http.StatusServiceUnavailable:
		c.add("requests_503", 1)
		return false
	case list.StatusCode() != http.StatusOK:
		c.violate("%d %s", list.StatusCode(), list.Body)
	default:
		c.add("requests_200", 1)
	}
	return true
}

// loseEvents crashes the database and kills an owner, so that nobody can restore lost events that readers have seen.
// Before the crash, it keeps the database from writing asynchronous commits. The other servers are frozen until the
// lost events are counted.
func (c *cluster) loseEvents(owner *replica) {
	c.t.Helper()
	var walWriter int
	c.query("SELECT pid::text FROM pg_stat_activity WHERE backend_type = 'walwriter'", &walWriter)
	require.NoError(c.t, syscall.Kill(walWriter, syscall.SIGSTOP))
	c.sleep(time.Second)
	c.signal(syscall.SIGSTOP)
	before := c.countEvents()
	c.postgres.crash(c.ctx, c.t, walWriter)
	owner.kill()
	c.postgres.start(c.ctx, c.t)
	c.add("events_that_the_database_lost", before-c.countEvents())
	c.signal(syscall.SIGCONT)
	c.startReplica(owner)
}

// countEvents counts the events in the logs of all answers.
func (c *cluster) countEvents() (n int) {
	c.t.Helper()
	c.query("SELECT count(*)::text FROM ai_response_events", &n)
	return n
}
