// Package rig is the setup of a measurement: PostgreSQL, the simulator of Groq, and what is measured as processes, with what
// they use of the machine.
package rig

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/tests/bench/baseline"
	"github.com/supportbackend/support/internal/tests/bench/stamp"
)

// Rig has the database and the plain proxy as separate processes, and the simulator in this process, which is the upstream of
// both the proxy and the server.
type Rig struct {
	Database *Database
	// The simulator stamps its tokens with the clock. Upstream is its URL.
	Simulator *groqsim.Simulator
	Clock     stamp.Clock
	Upstream  string
	Proxy     *Process

	dir     string
	program string // the server's
	secret  string
	closers []func()
}

// New starts a rig for a program of the server. A plain upstream speaks HTTP/1.1 without TLS. The caller closes the rig.
func New(ctx context.Context, program string, plainUpstream bool) (*Rig, error) {
	raiseOpenFiles()
	r := &Rig{program: program, secret: rand.Text() + rand.Text(), Clock: stamp.NewClock()}
	if err := r.open(ctx, plainUpstream); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Rig) open(ctx context.Context, plainUpstream bool) (err error) {
	if r.dir, err = os.MkdirTemp("", "support-bench-*"); err != nil {
		return err
	}
	r.closers = append(r.closers, func() { _ = os.RemoveAll(r.dir) })
	if r.Database, err = startDatabase(ctx); err != nil {
		return err
	}
	r.closers = append(r.closers, r.Database.stop)
	migrate := r.server(ctx, "migrate", "up")
	if out, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w\n%s", err, out)
	}
	if err := r.startSimulator(ctx, plainUpstream); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r.Proxy, err = startProcess(ctx, r.dir, baseline.ReadyPath, func(addr string) *exec.Cmd {
		return exec.CommandContext(ctx, self, "-proxy", addr, "-upstream", r.Upstream) //nolint:gosec // It runs this program.
	})
	if err != nil {
		return err
	}
	r.closers = append(r.closers, r.Proxy.Stop)
	return nil
}

// Script sets the simulator's script for all following requests.
func (r *Rig) Script(script groqsim.Script) error {
	r.Simulator.Reset()
	script.Times = -1
	return r.Simulator.Enqueue(script)
}

// server returns a command of the server's program. It inherits the environment, so that other settings can be
// measured.
func (r *Rig) server(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.program, args...) //nolint:gosec // The caller names the program to measure.
	// All load comes from a few accounts on one machine, so limits are high. None is off, because counting is a part of
	// the work.
	cmd.Env = append(cmd.Env, "SUPPORT_RATE_LIMIT=100000", "SUPPORT_SIGNUP_LIMIT=10000", "SUPPORT_AI_RUNNING=1000000", "SUPPORT_AI_MAX_RUNNING=10000",
		"SUPPORT_AI_PER_MINUTE=1000000", "SUPPORT_AI_PER_DAY=1000000", "SUPPORT_STREAMS_PER_ACCOUNT=1000000",
		"SUPPORT_TICKETS_PER_DAY=1000000", "SUPPORT_MESSAGES_PER_DAY=1000000", "SUPPORT_BYTES_PER_DAY=100000000000")
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "SUPPORT_") || strings.HasPrefix(variable, "GO") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, "GOTRACEBACK=all", certificateVariable+"="+os.Getenv(certificateVariable), "DATABASE_URL="+r.Database.url(), "JWT_SECRET="+r.secret,
		"GROQ_API_URL="+r.Upstream, "GROQ_API_KEY=simulated")
	return cmd
}

// StartServer starts a server that has done nothing yet, and has no answers to take over from the server before it.
func (r *Rig) StartServer(ctx context.Context) (*Process, error) {
	if err := r.Database.deleteRunningAnswers(ctx); err != nil {
		return nil, err
	}
	return startProcess(ctx, r.dir, "/readyz", func(addr string) *exec.Cmd {
		cmd := r.server(ctx, "serve")
		cmd.Env = append(cmd.Env, "SUPPORT_ADDR="+addr)
		return cmd
	})
}

// StartBare starts the bare server, for which every caller is the user.
func (r *Rig) StartBare(ctx context.Context, user uuid.UUID) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startProcess(ctx, r.dir, baseline.ReadyPath, func(addr string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, self, "-bare", addr, "-user", user.String()) //nolint:gosec // It runs this program.
		cmd.Env = append(os.Environ(), "DATABASE_URL="+r.Database.url())
		return cmd
	})
}

// Close stops everything that the rig has started.
func (r *Rig) Close() {
	for i := len(r.closers) - 1; i >= 0; i-- {
		r.closers[i]()
	}
}
