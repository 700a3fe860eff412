//go:build chaos && linux

package chaos

import (
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRollingRestartBreaksNoStream(t *testing.T) {
	t.Parallel()
	const (
		// streams is the number of open streams: two readers per answer, the second one on any replica.
		streams = 300
		// long is the number of answers that cannot end within the drain of the last restart, and are handed over.
		long = 15
		// ended is how long a process may take to end after SIGTERM.
		ended = 30 * time.Second
	)
	c := newCluster(t, "rolling restart of 3 processes under 300 streams", 4*time.Minute, "SUPPORT_DB_MAX_CONNS=10")
	var mu sync.Mutex
	var all []*reader
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range streams / 2 {
		random, other := c.newRandom(), c.newRandom()
		wg.Go(func() {
			c.sleep(time.Duration(random.IntN(6000)) * time.Millisecond)
			for {
				r := &reader{c: c, random: random, among: c.replicas}
				a, ok := c.newAnswer(r.pick(), random, plan{tokens: 64, speed: 8})
				if !ok {
					return
				}
				r.answer = a
				second := &reader{c: c, answer: a, random: other, among: c.replicas}
				var pair sync.WaitGroup
				r.onText = func() { pair.Go(second.follow) }
				r.follow()
				pair.Wait()
				mu.Lock()
				all = append(all, r, second)
				mu.Unlock()
				select {
				case <-done:
					return
				case <-c.ctx.Done():
					return
				default:
				}
			}
		})
	}
	c.sleep(8 * time.Second)
	for i, replica := range c.replicas {
		if i == replicaCount-1 {
			for range long {
				r := c.newReader(c.mustAnswer(replica, plan{tokens: 240, laterTokens: 64, speed: 8}), replica)
				r.onText = func() { r.among = c.replicas }
				wg.Go(r.follow)
				mu.Lock()
				all = append(all, r)
				mu.Unlock()
			}
			c.sleep(time.Second)
		}
		c.lasted("restart", c.restart(replica))
	}
	close(done)
	wg.Wait()
	c.add("streams_at_a_time", streams)
	c.add("readers", len(all))
	for _, count := range []string{"broken_off", "refused", "handed_over"} {
		c.add(count, 0)
	}
	for _, r := range all {
		if !r.resetAt.IsZero() {
			c.add("handed_over", 1)
		}
	}
	c.check(all)
	require.Equal(t, len(all), c.get("readers_with_the_stored_text"))
	require.Zero(t, c.get("broken_off"), "streams ended without an end event or a retry field")
	require.Zero(t, c.get("refused"), "requests were refused")
	require.GreaterOrEqual(t, c.get("handed_over"), long)
	require.Less(t, c.most("restart"), ended)
}

// restart stops a replica as a platform does, and starts it again. It returns how long the process took to end.
func (c *cluster) restart(r *replica) time.Duration {
	c.t.Helper()
	old := r.current.Load()
	old.signal(syscall.SIGTERM)
	begin := time.Now()
	// The platform polls readiness, and sends no more requests after it fails.
	c.eventually("the replica is not ready", 2*time.Second, func() bool {
		response, err := c.api(r, "").GetReadinessWithResponse(c.ctx)
		return err == nil && response.StatusCode() == http.StatusServiceUnavailable
	})
	c.lasted("not_ready", time.Since(begin))
	r.out.Store(true)
	if code := old.await(c.ctx, c.t); code != 0 {
		c.violate("exit code %d", code)
	}
	took := time.Since(begin)
	c.startReplica(r)
	return took
}
