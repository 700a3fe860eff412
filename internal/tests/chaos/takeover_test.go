//go:build chaos && linux

package chaos

import (
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
)

// takenOverWithin is the longest that an answer may stand still after its process has died.
const takenOverWithin = 20 * time.Second

func TestKilledOwnersLoseNoAnswer(t *testing.T) {
	t.Parallel()
	const kills, answersEach, cutPoints = 6, 12, 50
	c := newCluster(t, "kill -9 of the owner at 50 points, 5 resuming readers each", 4*time.Minute)
	var all []*reader
	for i := range kills {
		readers := c.killOwner(c.replicas[i%replicaCount], answersEach)
		all = append(all, readers...)
	}
	c.add("readers", len(all))
	c.check(all)
	require.Equal(t, len(all), c.get("readers_with_the_stored_text"))
	require.GreaterOrEqual(t, c.get("cut_points"), cutPoints)
	require.Less(t, c.most("takeover"), takenOverWithin)
}

// killOwner starts answers on a replica one after the other, kills the replica while each answer is at another point,
// and starts it again. It returns the readers after the end of their answers.
func (c *cluster) killOwner(victim *replica, answers int) []*reader {
	c.t.Helper()
	const followers = 5
	const window = 4200 * time.Millisecond // a little longer than an answer takes
	var readers []*reader
	var wg sync.WaitGroup
	begin := time.Now()
	for range answers {
		a := c.mustAnswer(c.others(victim)[0], plan{tokens: 400, speed: 100})
		began := make(chan struct{})
		first := c.newReader(a, victim)
		first.onText = func() {
			first.among = c.others(victim)
			close(began)
		}
		readers = append(readers, first)
		offset := time.Duration(c.random.Int64N(int64(window)))
		wg.Go(func() {
			c.sleep(time.Until(begin.Add(time.Second + offset)))
			first.follow()
		})
		for range followers {
			r := c.newReader(a, c.others(victim)...)
			r.cuts, r.cutBytes = 8, 3000
			readers = append(readers, r)
			wg.Go(func() {
				select {
				case <-began:
					r.follow()
				case <-c.ctx.Done():
				}
			})
		}
	}
	c.sleep(time.Until(begin.Add(time.Second + window)))
	victim.out.Store(true)
	victim.kill()
	killed := time.Now()
	victim.current.Load().await(c.ctx, c.t)
	var cut []int
	c.query(`SELECT coalesce(json_agg(last_seq), '[]')::text FROM ai_responses WHERE status = 'streaming'`, &cut)
	c.add("cut_points", len(cut))
	c.add("kills", 1)
	c.startReplica(victim)
	wg.Wait()
	for _, r := range readers {
		if !r.resetAt.IsZero() {
			c.lasted("takeover", r.resetAt.Sub(killed))
		}
	}
	return readers
}

func TestFrozenOwnerWritesNothingWhenItWakesUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "SIGSTOP of the owner past its lease, then SIGCONT", 2*time.Minute)
	const quick, held = 4, 4
	owner, others := c.replicas[0], c.others(c.replicas[0])
	// The first attempt is so long that its owner still has text to write when it wakes up.
	p := plan{tokens: 4000, laterTokens: 100, speed: 40}
	var readers []*reader
	var wg sync.WaitGroup
	for i := range quick + held {
		if i == quick {
			p.laterGates = []groqsim.Gate{{Name: "held", After: 10}}
		}
		a := c.mustAnswer(owner, p)
		for _, among := range [][]*replica{{owner}, others} {
			r := c.newReader(a, among...)
			began := make(chan struct{})
			r.onText = func() { close(began) }
			readers = append(readers, r)
			wg.Go(r.follow)
			select {
			case <-began:
			case <-c.ctx.Done():
			}
		}
	}
	owner.current.Load().signal(syscall.SIGSTOP)
	frozen := time.Now()
	c.awaitUpstream(func(records []groqsim.RequestRecord) bool {
		var completed, waiting int
		for _, r := range records {
			switch {
			case r.End == groqsim.EndCompleted:
				completed++
			case r.HeldAt == "held":
				waiting++
			}
		}
		return completed == quick && waiting == held
	})
	// The other servers' writes are committed when the snapshot no longer changes.
	before := c.snapshot()
	c.eventually("the others have committed", 10*time.Second, func() bool {
		last := before
		c.sleep(500 * time.Millisecond)
		before = c.snapshot()
		return before == last && strings.Count(before, "completed") == quick
	})
	c.lasted("frozen", time.Since(frozen))
	owner.current.Load().signal(syscall.SIGCONT)
	woken := time.Now()
	// The owner notices when it renews its leases or writes something.
	c.awaitUpstream(func(records []groqsim.RequestRecord) bool {
		var gone int
		for _, r := range records {
			if r.End == groqsim.EndClientGone {
				gone++
			}
		}
		return gone == quick+held
	})
	c.lasted("until_the_woken_owner_gave_up", time.Since(woken))
	c.sleep(time.Second)
	after := c.snapshot()
	if before != after {
		c.violate("the woken owner has changed rows:\n%s\n%s", before, after)
	}
	c.simulator.Release("held")
	wg.Wait()
	for _, r := range readers {
		if r.resetAt.IsZero() {
			c.violate("ticket %s: a reader was not told to start over", r.answer.ticket)
		}
	}
	c.add("readers", len(readers))
	c.check(readers)
	require.Equal(t, len(readers), c.get("readers_with_the_stored_text"))
	require.Equal(t, quick+held, c.countAnswers("completed"))
}

// snapshot lists every row of the answers with the transaction that wrote it, so that it also notices a write that
// changes no value. Only renewals of leases may write meanwhile.
func (c *cluster) snapshot() string {
	c.t.Helper()
	var rows struct{ Responses, Events, Messages string }
	c.query(`
		SELECT json_build_object(
			'responses', (SELECT string_agg(
				concat_ws(' ', id, attempt, owner_id, last_seq, status, CASE status WHEN 'completed' THEN xmin END), ', ' ORDER BY id
			) FROM ai_responses),
			'events', (SELECT count(*) || ' ' || md5(string_agg(
				concat_ws(' ', ai_response_id, seq, xmin), ', ' ORDER BY ai_response_id, seq
			)) FROM ai_response_events),
			'messages', (SELECT count(*) FROM messages)::text
		)::text`, &rows)
	return rows.Responses + "\n" + rows.Events + "\n" + rows.Messages
}
