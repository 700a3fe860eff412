//go:build chaos && linux

package chaos

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadersThatHangUpLeakNothing(t *testing.T) {
	t.Parallel()
	const (
		cycles, atOnce, answers = 1000, 20, 10
		slack                   = 5 // how many more goroutines and files than before are accepted
		within                  = 10 * time.Second
	)
	// With so few database connections, all of them are open before and after.
	c := newCluster(t, "1,000 connect-and-cut cycles", 2*time.Minute, "SUPPORT_DB_MAX_CONNS=4")
	cut, spared := c.replicas[0], c.replicas[1]
	for _, replica := range c.replicas {
		c.warmUp(replica)
	}
	files, sessions := cut.current.Load().countFiles(t), c.countSessions("TRUE")
	// Half of the answers are written by the readers' replica, half by another one.
	var readers []*reader
	for i := range answers {
		a := c.mustAnswer(cut, plan{tokens: 1200, speed: 60})
		owner := []*replica{cut, c.replicas[2]}[i%2]
		for range atOnce / answers {
			r := c.newReader(a, owner)
			r.cuts, r.cutBytes = 1, 300
			readers = append(readers, r)
		}
	}
	var wg sync.WaitGroup
	for _, r := range readers {
		wg.Go(func() {
			r.connect()
			r.among = []*replica{cut}
			for range cycles / atOnce {
				begin := time.Now()
				r.cuts = 1
				r.connect()
				c.lasted("cycle", time.Since(begin))
			}
		})
	}
	wg.Wait()
	c.eventually("all answers end without readers", time.Minute, func() bool {
		var n int
		c.query(`SELECT count(*)::text FROM ai_responses WHERE status = 'streaming'`, &n)
		return n == 0
	})
	// The groq client's idle connections do not belong to readers.
	c.upstream.CloseClientConnections()
	quiet := time.Now()
	c.eventually("files and sessions are as before", within, func() bool {
		return cut.current.Load().countFiles(t) <= files+slack && c.countSessions("state <> 'idle'") == 0
	})
	c.lasted("until_quiet", time.Since(quiet))
	c.add("files_before", files)
	c.add("files_after", cut.current.Load().countFiles(t))
	c.add("sessions_before", sessions)
	c.add("sessions_after", c.countSessions("TRUE"))
	require.GreaterOrEqual(t, c.get("cuts"), cycles)
	require.LessOrEqual(t, c.get("sessions_after"), sessions)
	require.Equal(t, answers, c.countAnswers("completed"))
	// A process dumps its goroutines only when it ends, so a process without readers serves as the baseline. River's
	// goroutines do not count, because the replica that leads has more of them.
	goroutines := func(r *replica) []string {
		return slices.DeleteFunc(r.current.Load().dumpGoroutines(c.ctx, t), func(stack string) bool {
			return strings.Contains(stack, "github.com/riverqueue/river")
		})
	}
	want, got := goroutines(spared), goroutines(cut)
	c.add("goroutines_without_readers", len(want))
	c.add("goroutines_after", len(got))
	require.NotEmpty(t, want)
	require.LessOrEqual(t, len(got), len(want)+slack, "%s", strings.Join(got, "\n\n"))
}

// warmUp makes a replica open all its database connections.
func (c *cluster) warmUp(at *replica) {
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() { c.probeOnce(c.ctx, at) })
	}
	wg.Wait()
}

// countSessions counts the servers' sessions in the database.
func (c *cluster) countSessions(condition string) int {
	c.t.Helper()
	var n int
	c.query("SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'support' AND ("+condition+")", &n)
	return n
}
