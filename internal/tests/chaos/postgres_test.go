//go:build chaos && linux

package chaos

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/pgembed"
)

// postgres is a PostgreSQL server that can be stopped and started again at the same address.
type postgres struct {
	options pgembed.Options
	server  *pgembed.Server
}

func startPostgres(ctx context.Context, t *testing.T) *postgres {
	t.Helper()
	dir, err := os.MkdirTemp(suite.dir, "postgres-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	p := &postgres{options: pgembed.Options{
		Dir: dir, Port: freePort(ctx, t),
		Settings: map[string]string{
			"max_connections": "150",
			// The machine does not lose power here. Commits wait for their WAL, or not, as in production.
			"fsync": "off",
			// Asynchronous commits stay unwritten for long, so that a crash loses many of them.
			"wal_writer_delay": "10s",
		},
	}}
	p.start(ctx, t)
	t.Cleanup(func() { _ = p.server.Stop() })
	return p
}

func (p *postgres) url() string { return p.server.URL("postgres") }

func (p *postgres) start(ctx context.Context, t *testing.T) {
	t.Helper()
	server, err := pgembed.Start(ctx, p.options)
	require.NoError(t, err)
	p.server = server
}

// stop is the fast shutdown: the server ends its sessions and writes everything.
func (p *postgres) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.server.Stop())
}

// crash is the immediate shutdown: the server writes nothing more, as if it were killed. It also kills frozen processes
// of the server.
func (p *postgres) crash(ctx context.Context, t *testing.T, frozen ...int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.server.Dir(), "data", "postmaster.pid"))
	require.NoError(t, err)
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGQUIT))
	for _, child := range frozen {
		require.NoError(t, syscall.Kill(child, syscall.SIGKILL))
	}
	select {
	case <-p.server.Done():
	case <-ctx.Done():
		require.NoError(t, context.Cause(ctx), "PostgreSQL does not stop")
	}
	require.NoError(t, p.server.Stop())
}

// freePort returns an unused port outside the range of ports for outgoing connections, so that no connection takes it
// while the server is down.
func freePort(ctx context.Context, t *testing.T) int {
	t.Helper()
	const lowest, highest = 20_000, 32_000
	for {
		port := lowest + rand.IntN(highest-lowest)
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:"+itoa(port))
		require.NoError(t, ctx.Err())
		if err == nil {
			require.NoError(t, listener.Close())
			return port
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
