//go:build proof

package proof_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/guard"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const (
	addrVariable, writersVariable, rateVariable = "PROOF_ADDR", "PROOF_WRITERS", "PROOF_RATE"
	// entryType is the type of most entries. One in webhookShare has webhookType, which webhooks receive.
	entryType, webhookType = "ticket.updated", "ticket.tagged"
	webhookShare           = 20
	// tickets is the number of tickets that the writers share, and rollbacks the share of transactions that roll back.
	tickets   = 20
	rollbacks = 0.2
	// maxThink is the longest that a writer pauses inside its transaction, while it holds a ticket's lock.
	maxThink = 10 * time.Millisecond
)

// errUndone makes a transaction roll back.
var errUndone = errors.New("rolled back on purpose")

// ticketID returns the id of the n-th ticket.
func ticketID(n int) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(strconv.Itoa(n))) }

// runReplica serves and writes, at the rate in the environment, until it is killed. It prints its address, then the
// name and time of each commit.
func runReplica(url string) int {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{URL: url, MaxConns: 40})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o := app.OptionsOf(config.Defaults())
	o.Store, o.Logger = s, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	o.Auth.Secret, o.HTTP.RateLimit, o.Assistant.Models = []byte(desk.Secret), 0, []string{"none"}
	o.Webhook.Guard = guard.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	a, err := app.New(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	listener, err := net.Listen("tcp", os.Getenv(addrVariable)) //nolint:noctx // The listener lives as long as the process.
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("http://" + listener.Addr().String())
	writers, _ := strconv.Atoi(os.Getenv(writersVariable))
	rate, _ := strconv.Atoi(os.Getenv(rateVariable))
	for range writers {
		go write(ctx, s, time.Second*time.Duration(writers)/time.Duration(max(rate, 1)))
	}
	if err := a.Serve(ctx, listener, 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

// write adds an entry in each period and commits or rolls back, after a pause inside the transaction.
func write(ctx context.Context, s *store.Store, period time.Duration) {
	<-time.After(rand.N(period)) // Writers start at different times.
	for tick := time.NewTicker(period); ; <-tick.C {
		name, ticket, kind := uuid.New(), ticketID(rand.IntN(tickets)), entryType
		if rand.IntN(webhookShare) == 0 {
			kind = webhookType
		}
		err := s.InTx(ctx, func(ctx context.Context) error {
			if _, err := s.LockTicket(ctx, sqlc.LockTicketParams{ID: ticket, Staff: true}); err != nil {
				return err
			}
			<-time.After(rand.N(maxThink))
			err := s.CreateJournalEntry(ctx, sqlc.CreateJournalEntryParams{
				Type: kind, ActorKind: sqlc.ActorKindSystem, TicketID: &ticket, SubjectID: &name, Data: []byte(`{}`),
			})
			if err == nil && rand.Float64() < rollbacks {
				err = errUndone
			}
			return err
		})
		if err == nil {
			fmt.Println(name, time.Now().UnixNano())
		}
	}
}

// replicaOptions says what a replica does besides serving.
type replicaOptions struct {
	// addr is the address to listen on; empty means any.
	addr          string
	writers, rate int
	// committed is called for each commit.
	committed func(name uuid.UUID, at time.Time)
}

// replica is a process that serves and writes.
type replica struct {
	cmd     *exec.Cmd
	address string
	ended   chan struct{}
}

// startReplica starts a replica. It ends with the test, or with this process.
func startReplica(t *testing.T, databaseURL string, o replicaOptions) *replica {
	t.Helper()
	r := &replica{cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), databaseVariable+"="+databaseURL, addrVariable+"="+cmp.Or(o.addr, "127.0.0.1:0"),
		writersVariable+"="+strconv.Itoa(o.writers), rateVariable+"="+strconv.Itoa(o.rate))
	r.cmd.Stderr = t.Output()
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := r.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, r.cmd.Start())
	lines := bufio.NewScanner(output)
	if !lines.Scan() {
		_ = r.cmd.Wait() // Its output says why.
		require.FailNow(t, "the replica did not start")
	}
	r.address = lines.Text()
	t.Cleanup(r.kill)
	go func() {
		defer close(r.ended)
		for lines.Scan() {
			text, at, _ := strings.Cut(lines.Text(), " ")
			name, err := uuid.Parse(text)
			nanos, parseErr := strconv.ParseInt(at, 10, 64)
			if err == nil && parseErr == nil {
				o.committed(name, time.Unix(0, nanos))
			}
		}
		_ = r.cmd.Wait() // The error says that it was killed.
	}()
	return r
}

// client calls the replica.
func (r *replica) client(token string) *plain.ClientWithResponses {
	c, _ := plain.NewClientWithResponses(r.address, plain.WithRequestEditorFn(func(_ context.Context, q *http.Request) error {
		q.Header.Set("Authorization", "Bearer "+token)
		return nil
	})) // The address is valid.
	return c
}

// kill ends the process immediately.
func (r *replica) kill() {
	_ = r.cmd.Process.Kill() // It may have ended already.
	<-r.ended
}

// freeze stops the process for a while.
func (r *replica) freeze(d time.Duration) {
	_ = r.cmd.Process.Signal(syscall.SIGSTOP)
	<-time.After(d)
	_ = r.cmd.Process.Signal(syscall.SIGCONT)
}

// hasPort reports whether the process has a connection from that port.
func (r *replica) hasPort(port int) bool {
	dir := filepath.Join("/proc", strconv.Itoa(r.cmd.Process.Pid))
	table, _ := os.ReadFile(filepath.Join(dir, "net", "tcp"))
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^ *\d+: [0-9A-F]{8}:%04X (?:\S+ +){7}(\d+) `, port))
	match := line.FindSubmatch(table)
	if match == nil {
		return false
	}
	files, _ := filepath.Glob(filepath.Join(dir, "fd", "*"))
	return slices.ContainsFunc(files, func(file string) bool {
		target, _ := os.Readlink(file)
		return target == "socket:["+string(match[1])+"]"
	})
}

// replicas are the replicas that readers use. Some may be down.
type replicas struct {
	mu  sync.Mutex
	all []*replica
}

func (rs *replicas) any() *replica {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.all[rand.IntN(len(rs.all))]
}

func (rs *replicas) replace(i int, r *replica) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.all[i] = r
}

// become replaces all replicas by one.
func (rs *replicas) become(r *replica) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.all = []*replica{r}
}

// sequencing returns the replica that is moving entries, or any one if that is unknown.
func (rs *replicas) sequencing(t *testing.T, url string) int {
	t.Helper()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); <-time.After(time.Millisecond) {
		port := storetest.QueryInt(t, url, `SELECT coalesce((SELECT client_port FROM pg_stat_activity
			WHERE state = 'active' AND query LIKE '%journal_sequence%' AND pid <> pg_backend_pid() LIMIT 1), 0)`)
		if i := slices.IndexFunc(rs.all, func(r *replica) bool { return r.hasPort(port) }); port > 0 && i >= 0 {
			return i
		}
	}
	return rand.IntN(len(rs.all))
}
