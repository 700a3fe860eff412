package proof_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/apitest"
)

const (
	writersVariable, rateVariable = "PROOF_WRITERS", "PROOF_RATE"
	// entryType is the type of the writers' entries.
	entryType = "ticket.updated"
	// tickets is how many tickets the writers share, and rollbacks the share of transactions that are undone.
	tickets   = 20
	rollbacks = 0.2
	// maxThink bounds what a writer thinks inside its transaction, while it holds a ticket's lock.
	maxThink = 10 * time.Millisecond
)

// errUndone is why a writer undoes its transaction.
var errUndone = errors.New("undone on purpose")

// ticketID is one of the tickets.
func ticketID(n int) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(strconv.Itoa(n))) }

// runReplica serves, and writes at the rate that the environment says, until it is killed. It prints its address, and then the
// name and the time of each commit.
func runReplica(url string) int {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{URL: url, MaxConns: 40})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o := app.OptionsOf(config.Defaults())
	o.Store, o.Logger = s, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	o.Auth.Secret, o.HTTP.RateLimit, o.Assistant.Models = []byte(apitest.Secret), 0, []string{"none"}
	a, err := app.New(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It lives as long as the process.
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

// write commits an entry in each period, or undoes it, after some thought inside the transaction.
func write(ctx context.Context, s *store.Store, period time.Duration) {
	for tick := time.NewTicker(period); ; <-tick.C {
		name, ticket := uuid.New(), ticketID(rand.IntN(tickets))
		err := s.InTx(ctx, func(ctx context.Context) error {
			if _, err := s.LockTicket(ctx, sqlc.LockTicketParams{ID: ticket, Staff: true}); err != nil {
				return err
			}
			<-time.After(rand.N(maxThink))
			err := s.CreateJournalEntry(ctx, sqlc.CreateJournalEntryParams{
				Type: entryType, ActorKind: sqlc.ActorKindSystem, TicketID: &ticket, SubjectID: &name, Data: []byte(`{}`),
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

// replica is a process that serves and writes.
type replica struct {
	cmd     *exec.Cmd
	address string
	ended   chan struct{}
}

// startReplica starts a replica, which tells committed of each commit. It ends with the test, or with this process.
func startReplica(t *testing.T, databaseURL string, writers, rate int, committed func(name string, at time.Time)) *replica {
	t.Helper()
	r := &replica{cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), databaseVariable+"="+databaseURL,
		writersVariable+"="+strconv.Itoa(writers), rateVariable+"="+strconv.Itoa(rate))
	r.cmd.Stderr = t.Output()
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := r.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, r.cmd.Start())
	t.Cleanup(r.kill)
	lines := bufio.NewScanner(output)
	require.True(t, lines.Scan(), "the replica did not start")
	r.address = lines.Text()
	go func() {
		defer close(r.ended)
		for lines.Scan() {
			name, at, _ := strings.Cut(lines.Text(), " ")
			if nanos, err := strconv.ParseInt(at, 10, 64); err == nil {
				committed(name, time.Unix(0, nanos))
			}
		}
		_ = r.cmd.Wait() // It was killed.
	}()
	return r
}

// kill ends the process at once.
func (r *replica) kill() {
	_ = r.cmd.Process.Kill() // It may be gone already.
	<-r.ended
}

// freeze stops the process for a while.
func (r *replica) freeze(d time.Duration) {
	_ = r.cmd.Process.Signal(syscall.SIGSTOP)
	<-time.After(d)
	_ = r.cmd.Process.Signal(syscall.SIGCONT)
}

// replicas are those that readers may ask, of which some are gone at times.
type replicas struct {
	mu  sync.Mutex
	all []*replica
}

func (rs *replicas) any() string {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.all[rand.IntN(len(rs.all))].address
}

func (rs *replicas) replace(i int, r *replica) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.all[i] = r
}
