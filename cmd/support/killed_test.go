package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestKilledMigrationIsContinuedByTheNextRun(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	database := []string{"DATABASE_URL=" + url}
	code, out := run(t, program(t, database, "migrate", "goto", "2"))
	require.Zero(t, code, out)

	release := storetest.LockTable(t, url, "tickets")
	killed := start(t, program(t, database, "migrate", "up"))
	require.Eventually(t, func() bool {
		return storetest.QueryInt(t, url, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'support migrate' AND wait_event_type = 'Lock'`) == 1
	}, readyWithin, readyPoll)
	require.NoError(t, killed.cmd.Process.Kill())
	require.Error(t, killed.cmd.Wait())
	release()

	// The database finishes the statement or rolls it back. Either way, version and schema agree.
	require.Equal(t, 0, storetest.QueryInt(t, url, "SELECT count(*) FROM schema_migrations WHERE dirty"))
	code, out = run(t, program(t, database, "migrate", "up"))
	require.Zero(t, code, out)
	_, address := serve(t, database...)
	require.Eventually(t, func() bool { return get(t, address+"/readyz").StatusCode == http.StatusOK }, readyWithin, readyPoll)
}

func TestCommandLineExplainsAnUnreachableDatabase(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"migrate", "up"}, {"migrate", "version"}, {"admin", "create", "--email", "a@example.com"}} {
		code, out := run(t, program(t, []string{"DATABASE_URL=postgres://canary:canary@127.0.0.1:1/canary"}, args...))
		require.Equal(t, exitFailure, code, out)
		require.Contains(t, out, "connection refused at 127.0.0.1:1")
		require.Contains(t, out, "Check the host and port")
		require.NotContains(t, out, "canary")
	}
	p, address := serve(t, "DATABASE_URL=postgres://canary:canary@127.0.0.1:1/canary")
	p.waitFor(t, `connection refused at 127.0.0.1:1`)
	require.Equal(t, http.StatusServiceUnavailable, get(t, address+"/readyz").StatusCode)
	require.NotContains(t, p.output.String(), "canary")
}
