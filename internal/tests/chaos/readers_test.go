//go:build chaos && linux

package chaos

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
)

// newReader returns a reader of an answer that connects to some replicas.
func (c *cluster) newReader(a answer, among ...*replica) *reader {
	return &reader{c: c, answer: a, random: c.newRandom(), among: among}
}

// followAll runs all readers at the same time, and returns when all have ended.
func followAll(readers []*reader) {
	var wg sync.WaitGroup
	for _, r := range readers {
		wg.Go(r.follow)
	}
	wg.Wait()
}

func TestManyReadersHaveOneAnswer(t *testing.T) {
	t.Parallel()
	const rounds, readersEach = 5, 100
	c := newCluster(t, "100 parallel readers, 3 processes, one answer", time.Minute)
	var all []*reader
	for range rounds {
		a := c.mustAnswer(c.replicas[0], plan{tokens: 100, speed: 100})
		before := len(c.simulator.Requests())
		var readers []*reader
		for i := range readersEach {
			r := c.newReader(a, c.replicas[i%replicaCount])
			begin := time.Now()
			r.onText = func() { c.lasted("first_text", time.Since(begin)) }
			readers = append(readers, r)
		}
		followAll(readers)
		if n := len(c.simulator.Requests()) - before; n != 1 {
			c.violate("upstream was asked %d times", n)
		}
		c.add("upstream_requests", len(c.simulator.Requests())-before)
		all = append(all, readers...)
	}
	c.add("readers", len(all))
	c.check(all)
	require.Equal(t, rounds*readersEach, c.get("readers_with_the_stored_text"))
}

func TestReadersThatAreCutResumeAnywhere(t *testing.T) {
	t.Parallel()
	const cutsWanted, readersEach, answers = 1000, 2, 20
	c := newCluster(t, "1,000 random cuts, resumed on a random replica", 2*time.Minute)
	var all []*reader
	for c.get("cuts") < cutsWanted && !t.Failed() {
		var readers []*reader
		for range answers {
			a := c.mustAnswer(c.replicas[0], plan{tokens: 400, speed: 100})
			for range readersEach {
				r := c.newReader(a, c.replicas...)
				r.cuts, r.cutBytes = 60, 1500
				readers = append(readers, r)
			}
		}
		followAll(readers)
		all = append(all, readers...)
	}
	c.add("readers", len(all))
	c.add("upstream_requests", len(c.simulator.Requests()))
	c.check(all)
	require.Equal(t, len(all), c.get("readers_with_the_stored_text"))
	require.Equal(t, len(all)/readersEach, c.get("upstream_requests"))
}

// raced is how many races each side must win, so that the test really races them.
const raced = 50

func TestStaffAlwaysWinsTheRaceForTheCommit(t *testing.T) {
	t.Parallel()
	const races, atOnce, tokensEach = 1000, 8, 6
	c := newCluster(t, "a reply by staff races the commit, 1,000 times", 2*time.Minute)
	for _, outcome := range []string{"published", "superseded"} {
		c.add(outcome, 0)
	}
	// bias, in microseconds, shifts the reply so that both sides win about equally often.
	var bias atomic.Int64
	var left atomic.Int64
	left.Store(races)
	var readers []*reader
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range atOnce {
		random := c.newRandom()
		wg.Go(func() {
			for left.Add(-1) >= 0 && c.ctx.Err() == nil {
				if r := c.race(random, tokensEach, &bias); r != nil {
					mu.Lock()
					readers = append(readers, r)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, readers, races)
	c.check(readers)
	require.Greater(t, c.get("published"), raced, "one side almost never wins")
	require.Greater(t, c.get("superseded"), raced, "one side almost never wins")
	require.Equal(t, c.get("superseded"), c.get("readers_failed_superseded"))
}

// race releases the end of an answer and a staff reply at the same time.
func (c *cluster) race(random *rand.Rand, tokens int, bias *atomic.Int64) *reader {
	const spread = 3000 // microseconds
	begin := time.Now()
	gate := "race " + itoa(int(random.Int32()))
	hold := []groqsim.Gate{{Name: gate, After: tokens}}
	a, ok := c.newAnswer(c.replicas[random.IntN(replicaCount)], random, plan{
		tokens: tokens, speed: -1, gates: hold, laterGates: hold,
	})
	if !ok {
		return nil
	}
	r := &reader{c: c, answer: a, random: random, among: c.replicas}
	seen := make(chan struct{})
	r.onText = func() { close(seen) }
	var wg sync.WaitGroup
	wg.Go(r.follow)
	select {
	case <-seen:
	case <-c.ctx.Done():
	}
	delay := time.Duration(bias.Load()+random.Int64N(2*spread)-spread) * time.Microsecond
	agent := c.replicas[random.IntN(replicaCount)]
	wg.Go(func() {
		c.sleep(max(0, delay))
		c.lasted("reply", c.reply(agent, a.ticket))
	})
	c.sleep(max(0, -delay))
	c.simulator.Release(gate)
	wg.Wait()
	c.lasted("race", time.Since(begin))
	if r.message != nil {
		c.add("published", 1)
		bias.Add(-20)
	} else {
		c.add("superseded", 1)
		bias.Add(20)
	}
	return r
}
