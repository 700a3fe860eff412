//go:build proof

package proof_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/pgembed"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// plan sets the size of the proofs.
type plan struct {
	// full is for figures: each proof uses its own cluster, with PostgreSQL's default settings.
	full                       bool
	replicas, writers, readers int
	// measuring is the number of readers while the figures are measured, for the time quiet, after a warm-up.
	measuring   int
	warm, quiet time.Duration
	// rate is the number of transactions per second, on all replicas together.
	rate int
	// open is how long one transaction stays open.
	open, frozen time.Duration
	kills        int
	// webhooks is the number of webhooks, which receive the entries of one type.
	webhooks int
	// restored is how long the restored database is used.
	restored time.Duration
	// rounds is the number of turns of the writers, each as long as round.
	rounds int
	round  time.Duration
	// queued is the number of deliveries that wait for a dead receiver, and watched is how long the others are measured
	// beside it.
	queued  int
	watched time.Duration
}

// thePlan returns the plan of the gate, or with PROOF=full that of the tasks.
func thePlan() plan {
	if os.Getenv("PROOF") == "full" {
		return plan{
			full: true, replicas: 3, writers: 51, readers: 20, measuring: 4, warm: 5 * time.Second, quiet: 20 * time.Second, rate: 640,
			open: time.Minute, frozen: 12 * time.Second, kills: 3, webhooks: 3, restored: 5 * time.Second,
			rounds: 3, round: 5 * time.Second, queued: 100_000, watched: 30 * time.Second,
		}
	}
	return plan{
		replicas: 2, writers: 10, readers: 6, measuring: 2, quiet: time.Second, rate: 60, open: 2 * time.Second, frozen: time.Second,
		kills: 1, webhooks: 1, restored: 200 * time.Millisecond, rounds: 1, round: 100 * time.Millisecond,
		queued: 200, watched: time.Second,
	}
}

// database returns the URL of a database with the product's schema.
func (p plan) database(t *testing.T) string {
	t.Helper()
	if !p.full {
		return storetest.NewURL(t)
	}
	url := p.emptyDatabase(t)
	m, err := store.OpenMigrator(url)
	require.NoError(t, err)
	require.NoError(t, m.Up())
	require.NoError(t, m.Close())
	return url
}

// emptyDatabase returns the URL of a database without a schema, in a full proof in a new cluster.
func (p plan) emptyDatabase(t *testing.T) string {
	t.Helper()
	if !p.full {
		return storetest.NewEmptyURL(t)
	}
	server, err := pgembed.Start(t.Context(), pgembed.Options{Settings: map[string]string{"max_connections": "300"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	url := server.URL("postgres")
	storetest.Keep(t, url)
	return url
}

// dump dumps a database that is in use to a file.
func dump(t *testing.T, url string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "dump.sql")
	output, err := exec.CommandContext(t.Context(), postgresProgram(t, "pg_dump"), "--file", file, url).CombinedOutput()
	require.NoError(t, err, "%s", output)
	return file
}

// restore restores a dump and returns the URL of the new database.
func (p plan) restore(t *testing.T, file string) (url string) {
	t.Helper()
	url = p.emptyDatabase(t)
	output, err := exec.CommandContext(t.Context(), postgresProgram(t, "psql"), "--quiet", "--set", "ON_ERROR_STOP=1",
		"--file", file, url).CombinedOutput()
	require.NoError(t, err, "%s", output)
	return url
}

// postgresProgram returns the newest program with this name on this machine.
func postgresProgram(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil && !strings.Contains(path, "/usr/bin/") {
		return path // Debian's wrappers choose the version by cluster.
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	require.NoError(t, err)
	if len(found) == 0 {
		return name
	}
	return slices.Max(found)
}

func printFigures(t *testing.T, f any) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"proof": t.Name(), "figures": f})
	require.NoError(t, err)
	fmt.Fprintln(os.Stdout, string(raw))
}
