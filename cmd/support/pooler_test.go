//go:build pooler

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// poolerOf starts PgBouncer in transaction mode in front of the database, with five sessions, and returns its URL.
func poolerOf(t *testing.T, databaseURL string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/pgbouncer")
	}
	require.NoError(t, err, "these tests need PgBouncer: install it, for example with apt install pgbouncer")
	database, err := url.Parse(databaseURL)
	require.NoError(t, err)
	password, _ := database.User.Password()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // Closed immediately.
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, listener.Close())

	dir, err := os.MkdirTemp("", "support-pooler-*")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755)) // PgBouncer refuses to run as root.
	file := filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `[databases]
support = host=%s port=%s dbname=%s user=%s password=%s
[pgbouncer]
listen_addr = %s
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 200
`, database.Hostname(), database.Port(), strings.Trim(database.Path, "/"), database.User.Username(), password, host, port), 0o644))
	args := []string{file}
	if os.Geteuid() == 0 {
		args = []string{"-u", "nobody", file}
	}
	p := start(t, exec.CommandContext(t.Context(), program, args...))
	p.waitFor(t, "process up")
	return fmt.Sprintf("postgres://support:any@%s/support?sslmode=disable", net.JoinHostPort(host, port))
}

func TestServerWorksBehindATransactionPooler(t *testing.T) {
	t.Parallel()
	direct := storetest.NewEmptyURL(t)
	pooled := poolerOf(t, direct)
	code, out := run(t, program(t, []string{"DATABASE_URL=" + pooled}, "migrate", "up"))
	require.Equal(t, exitFailure, code, out)
	require.Contains(t, out, "SUPPORT_DB_POOLER=transaction", "the missing setting is named")
	environ := []string{"DATABASE_URL=" + pooled, "SUPPORT_DB_POOLER=transaction"}
	code, out = run(t, program(t, environ, "migrate", "up"))
	require.Equal(t, exitSettings, code, out)
	require.Contains(t, out, "SUPPORT_DB_MIGRATE_URL")
	environ = append(environ, "SUPPORT_DB_MIGRATE_URL="+direct)
	code, out = run(t, program(t, environ, "migrate", "up"))
	require.Zero(t, code, out)

	simulator := groqsim.New(groqsim.Options{})
	upstream := groqtest.Serve(t, simulator)
	p, address := serve(t, append(environ, "GROQ_API_URL="+upstream, "GROQ_API_KEY=k", "SUPPORT_RATE_LIMIT=0")...)
	p.waitFor(t, "ALTER ROLE")                           // The pooler's sessions lack the required limits.
	go func() { _, _ = io.Copy(io.Discard, p.stdout) }() // Otherwise the log of requests would fill the pipe.
	require.Equal(t, http.StatusOK, get(t, address+"/readyz").StatusCode)
	require.Contains(t, readAll(t, openStream(t, address)), "event: done\n")
	writeMixed(t, address, direct)
}

// writeMixed sends a few hundred parallel requests. Repeated ones must have their effect once.
func writeMixed(t *testing.T, address, direct string) {
	t.Helper()
	c, err := plain.NewClientWithResponses(address)
	require.NoError(t, err)
	token, err := c.LogInWithResponse(t.Context(), nil, client.LogInRequest{Email: "ada@example.com", Password: "correct horse battery"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, token.StatusCode())
	authorize := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token.JSON200.AccessToken)
		return nil
	}
	before := storetest.QueryInt(t, direct, "SELECT count(*) FROM tickets")
	const writers, rounds = 20, 5
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for range rounds {
				key := uuid.NewString()
				for range 2 {
					created, err := c.CreateTicketWithResponse(t.Context(), &plain.CreateTicketParams{IdempotencyKey: &key},
						client.CreateTicketRequest{Title: "t", Description: "d"}, authorize)
					if err != nil || created.StatusCode() != http.StatusCreated {
						t.Errorf("create: %v %s", err, created.Body)
						return
					}
				}
				listed, err := c.ListTicketsWithResponse(t.Context(), nil, authorize)
				if err != nil || listed.StatusCode() != http.StatusOK {
					t.Errorf("list: %v %s", err, listed.Body)
					return
				}
			}
		})
	}
	running.Wait()
	require.Equal(t, before+writers*rounds, storetest.QueryInt(t, direct, "SELECT count(*) FROM tickets"))
}
