//go:build chaos && linux

package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
)

const (
	replicaCount = 3
	// cleanUpTime is the time that the clean-up of a scenario has before the run's deadline.
	cleanUpTime = 20 * time.Second
	password    = "correct horse battery"
)

// cluster is a whole installation: several servers on one database, with a simulated upstream.
type cluster struct {
	*figures
	t   *testing.T
	ctx context.Context
	// random makes the choices of the scenario itself; readers have their own.
	random *rand.Rand
	drawn  uint64

	postgres  *postgres
	databases string
	simulator *groqsim.Simulator
	upstream  *httptest.Server
	environ   []string
	replicas  []*replica
	http      *http.Client

	customer, agent string // access tokens
	tickets         atomic.Int64
}

// replica is a server that may be replaced by another one, at another address.
type replica struct {
	current atomic.Pointer[process]
	// out means that readers send it no requests.
	out atomic.Bool
}

func (r *replica) address() string { return r.current.Load().address }

// newCluster starts a cluster that ends with the test, and after limit at the latest. After every scenario, an audit
// checks the database.
func newCluster(t *testing.T, scenario string, limit time.Duration, settings ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, figures: measure(t, scenario)}
	c.random = rand.New(rand.NewPCG(suite.seed, seedOf(scenario)))
	c.ctx = bounded(t, limit)
	c.add("violations", 0)
	c.startUpstream()
	c.postgres = startPostgres(c.ctx, t)
	c.databases = c.postgres.url()
	c.environ = append([]string{
		"PATH=" + os.Getenv("PATH"), "DATABASE_URL=" + c.databases, "GROQ_API_KEY=simulated",
		"JWT_SECRET=0123456789abcdef0123456789abcdef", "EXPIRE_MINUTES=60", "SUPPORT_ADDR=127.0.0.1:0",
		// All load comes from one address and a few accounts.
		"SUPPORT_RATE_LIMIT=0", "SUPPORT_SIGNUP_LIMIT=0", "SUPPORT_AI_RUNNING=0", "SUPPORT_AI_PER_MINUTE=0", "SUPPORT_AI_PER_DAY=0",
		"SUPPORT_AI_MAX_RUNNING=1000", "SUPPORT_STREAMS_PER_ACCOUNT=1000000",
		"SUPPORT_TICKETS_PER_DAY=0", "SUPPORT_MESSAGES_PER_DAY=0", "SUPPORT_BYTES_PER_DAY=0",
	}, append(c.environ, settings...)...)
	command(c.ctx, t, c.environ, "", "migrate", "up")
	for range replicaCount {
		r := new(replica)
		c.replicas = append(c.replicas, r)
		c.startReplica(r)
	}
	// Each request has a connection of its own, so that a broken connection affects only that request.
	c.http = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	c.makeAccounts()
	t.Cleanup(c.audit)
	return c
}

// bounded returns a context that ends after limit, and early enough to clean up before the run's deadline.
func bounded(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	end := time.Now().Add(limit)
	if last, ok := t.Deadline(); ok && last.Add(-cleanUpTime).Before(end) {
		end = last.Add(-cleanUpTime)
	}
	ctx, cancel := context.WithDeadlineCause(t.Context(), end, errors.New("the scenario took too long"))
	t.Cleanup(cancel)
	return ctx
}

func (c *cluster) startUpstream() {
	c.simulator = groqsim.New(groqsim.Options{TokensPerSecond: 100})
	c.upstream = httptest.NewServer(c.simulator)
	c.t.Cleanup(func() {
		c.simulator.Close()
		c.upstream.CloseClientConnections()
		c.upstream.Close()
	})
	c.environ = append(c.environ, "GROQ_API_URL="+c.upstream.URL)
}

// startReplica starts a server for the replica.
func (c *cluster) startReplica(r *replica) {
	c.t.Helper()
	r.current.Store(start(c.ctx, c.t, c.environ))
	r.out.Store(false)
}

// kill ends the replica's process immediately, without a shutdown.
func (r *replica) kill() { r.current.Load().signal(syscall.SIGKILL) }

// signal sends a signal to all servers.
func (c *cluster) signal(s syscall.Signal) {
	for _, r := range c.replicas {
		r.current.Load().signal(s)
	}
}

// others returns all replicas except one.
func (c *cluster) others(but *replica) []*replica {
	var others []*replica
	for _, r := range c.replicas {
		if r != but {
			others = append(others, r)
		}
	}
	return others
}

// newRandom returns a source of randomness for one goroutine. Every run creates its sources in the same order.
func (c *cluster) newRandom() *rand.Rand {
	c.drawn++
	return rand.New(rand.NewPCG(c.random.Uint64(), c.drawn))
}

// violate reports a broken promise. It may be called from any goroutine.
func (c *cluster) violate(format string, args ...any) {
	c.add("violations", 1)
	c.t.Errorf(format, args...)
}

// sleep waits. It returns false if the scenario ends meanwhile.
func (c *cluster) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-c.ctx.Done():
		return false
	}
}

// eventually waits for a condition, which it checks often.
func (c *cluster) eventually(what string, within time.Duration, condition func() bool) {
	c.t.Helper()
	for end := time.Now().Add(within); !condition(); {
		if time.Now().After(end) || !c.sleep(50*time.Millisecond) {
			c.violate("not within %s: %s", within, what)
			c.t.FailNow()
		}
	}
}

// awaitUpstream waits until done accepts the simulator's requests.
func (c *cluster) awaitUpstream(done func([]groqsim.RequestRecord) bool) {
	c.t.Helper()
	require.NoError(c.t, c.simulator.Wait(c.ctx, done))
}

func seedOf(text string) uint64 {
	var seed uint64
	for _, b := range []byte(text) {
		seed = seed*31 + uint64(b)
	}
	return seed
}
