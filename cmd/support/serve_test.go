package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const testSecret = "JWT_SECRET=0123456789abcdef0123456789abcdef"

var listenPattern = regexp.MustCompile(`"msg":"serving","addr":"([^"]+)"`)

// serve starts "support serve" and returns it with its address.
func serve(t *testing.T, environ ...string) (*process, string) {
	t.Helper()
	p := start(t, program(t, append(environ, testSecret, "SUPPORT_ADDR=127.0.0.1:0"), "serve"))
	p.waitFor(t, `"msg":"serving"`)
	match := listenPattern.FindStringSubmatch(p.output.String())
	require.NotNil(t, match)
	return p, "http://" + match[1]
}

func TestServerIsReadyAfterTheMigration(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + storetest.NewEmptyURL(t)
	p, address := serve(t, database)
	require.Equal(t, http.StatusServiceUnavailable, get(t, address+"/readyz").StatusCode)
	require.Equal(t, http.StatusOK, get(t, address+"/livez").StatusCode)
	p.waitFor(t, `no schema yet. Run: support migrate up`)
	// A spelling that HTTP_PROXY applies to, unlike localhost.
	local := []string{"SUPPORT_ADDR=" + strings.Replace(address, "http://127.0.0.1", "LOCALHOST", 1), "HTTP_PROXY=http://" + vacant}
	code, out := run(t, program(t, local, "healthcheck"))
	require.Equal(t, exitFailure, code, out)

	code, out = run(t, program(t, []string{database}, "migrate", "up"))
	require.Zero(t, code, out)
	require.Contains(t, out, versionText(t, latest(t)))
	require.Eventually(t, func() bool {
		return get(t, address+"/readyz").StatusCode == http.StatusOK
	}, readyWithin, readyPoll)
	code, out = run(t, program(t, local, "healthcheck"))
	require.Zero(t, code, out)
	require.Contains(t, p.output.String(), "ai answers are switched off")
}

func TestAnswerFinishesWhileTheServerDrains(t *testing.T) {
	t.Parallel()
	simulator := groqsim.New(groqsim.Options{})
	require.NoError(t, simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 3}}}))
	upstream := groqtest.Serve(t, simulator)
	p, address := serve(t, "DATABASE_URL="+storetest.NewURL(t), "GROQ_API_URL="+upstream, "GROQ_API_KEY=k")
	stream := openStream(t, address)
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	p.waitFor(t, "shutting down")
	require.Equal(t, http.StatusServiceUnavailable, get(t, address+"/readyz").StatusCode, "readiness fails immediately")
	simulator.Release("late")
	require.Contains(t, readAll(t, stream), "event: done\n")
	require.NoError(t, p.cmd.Wait())
}

func TestSecondSignalEndsTheServerImmediately(t *testing.T) {
	t.Parallel()
	p, _ := serve(t, "DATABASE_URL="+storetest.NewURL(t))
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	p.waitFor(t, "shutting down")
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	require.Error(t, p.cmd.Wait())
	require.Equal(t, exitFailure, p.cmd.ProcessState.ExitCode())
}

func TestHangupDoesNotEndAServerThatIgnoresIt(t *testing.T) {
	t.Parallel()
	cmd := program(t, []string{"DATABASE_URL=" + storetest.NewURL(t)}, "serve")
	cmd.Args = append([]string{"nohup", cmd.Path}, cmd.Args[1:]...)
	nohup, err := exec.LookPath("nohup")
	require.NoError(t, err)
	cmd.Path = nohup
	cmd.Env = append(cmd.Env, "SUPPORT_ADDR=127.0.0.1:0", testSecret)
	p := start(t, cmd)
	p.waitFor(t, `"msg":"serving"`)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	p.interrupt(t)
	require.Contains(t, p.output.String(), "shutting down")
}

func TestLogSaysThatTooManyFilesAreOpen(t *testing.T) {
	t.Parallel()
	cmd := program(t, []string{"DATABASE_URL=" + storetest.NewURL(t), testSecret, "SUPPORT_ADDR=127.0.0.1:0"}, "serve")
	cmd.Args = []string{"sh", "-c", `ulimit -n 64; exec "$0" "$@"`, cmd.Path, "serve"}
	cmd.Path = "/bin/sh"
	p := start(t, cmd)
	p.waitFor(t, `"msg":"serving"`)
	p.waitFor(t, "SUPPORT_MAX_STREAMS")
	match := listenPattern.FindStringSubmatch(p.output.String())
	require.NotNil(t, match)
	for range 64 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", match[1])
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
	}
	p.waitFor(t, "too many open files")
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(p.stdout)
	require.NoError(t, err)
	require.NotContains(t, string(rest), "connection not accepted", "one line a minute is enough")
}

func TestAllInvalidSettingsAreReported(t *testing.T) {
	t.Parallel()
	environ := []string{
		"DATABASE_URL=mysql://canary", "JWT_SECRET=canary", "EXPIRE_MINUTES=-5", "SUPPORT_LOG_LEVEL=canary",
		"ALLOWED_ORIGINS=*", "SUPPORT_ADRR=canary", "GROK_API_KEY=canary1", "GROQ_API_KEY=canary2",
	}
	for _, args := range [][]string{{"serve"}, {"config", "check"}} {
		code, out := run(t, program(t, environ, args...))
		require.Equal(t, exitSettings, code, out)
		for _, name := range []string{
			"DATABASE_URL", "JWT_SECRET", "EXPIRE_MINUTES", "SUPPORT_LOG_LEVEL", "ALLOWED_ORIGINS", "SUPPORT_ADRR",
			"GROK_API_KEY",
		} {
			require.Contains(t, out, name)
		}
		require.NotContains(t, out, "canary")
	}
	code, out := run(t, program(t, []string{testSecret, "DATABASE_URL=postgres://u:p@h/d"}, "config", "check"))
	require.Zero(t, code, out)
}

func TestDatabaseIsMigratedUpAndDown(t *testing.T) {
	t.Parallel()
	database := []string{"DATABASE_URL=" + storetest.NewEmptyURL(t)}
	newest := latest(t)
	for _, step := range []struct {
		args string
		want int64
	}{
		{"migrate version", 0},
		{"migrate up", newest},
		{"migrate goto 3", 3},
		{"migrate down", 2},
		{"migrate down 2", 0},
		{"migrate goto 2", 2},
		{"migrate up", newest},
		{"migrate goto 1", 1},
		{fmt.Sprint("migrate force ", newest), newest},
	} {
		code, out := run(t, program(t, database, strings.Fields(step.args)...))
		require.Zero(t, code, out)
		require.Contains(t, out, versionText(t, step.want), step.args)
	}
	for _, args := range []string{"migrate down x", "migrate goto -- -1", "migrate goto", "migrate sideways"} {
		code, out := run(t, program(t, database, strings.Fields(args)...))
		require.NotZero(t, code, "%s: %s", args, out)
	}
}

func TestJournalStatus(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	add := func() {
		storetest.Exec(t, url, `INSERT INTO journal_outbox (type, actor_kind, occurred_at)
			SELECT 'ticket.updated', 'system', now() - interval '1 hour' FROM generate_series(1, 3)`)
	}
	add()
	storetest.Exec(t, url, "SELECT journal_sequence(1000, false)")
	add()
	code, out := run(t, program(t, []string{"DATABASE_URL=" + url}, "journal", "status"))
	require.Zero(t, code, out)
	require.Regexp(t, `^head     3\noldest   1\nwaiting  3\nlag      1h0m\d\S*\n$`, out)

	code, out = run(t, program(t, []string{"DATABASE_URL=" + storetest.NewEmptyURL(t)}, "journal", "status"))
	require.Equal(t, exitFailure, code, out)
	require.Contains(t, out, "support migrate up")
}

func TestCreateAdministrator(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	database := []string{"DATABASE_URL=" + url}
	code, out := run(t, program(t, database, "admin", "create", "--email", "Root@Example.com"))
	require.Zero(t, code, out)
	require.Contains(t, out, "created admin root@example.com")
	require.Contains(t, out, "password: ")

	code, out = run(t, program(t, database, "admin", "create", "--email", "root@example.com"))
	require.Equal(t, exitFailure, code)
	require.Contains(t, out, "email_taken")

	agent := program(t, database, "admin", "create", "--role", "agent", "--email", "agent@example.com", "--password-stdin")
	agent.Stdin = strings.NewReader("a password of one's own\n")
	code, out = run(t, agent)
	require.Zero(t, code, out)
	require.NotContains(t, out, "a password of one's own")
	require.Equal(t, "admin,agent", storetest.QueryText(t, url, "SELECT string_agg(role::text, ',' ORDER BY role DESC) FROM users"))

	weak := program(t, database, "admin", "create", "--email", "weak@example.com", "--password-stdin")
	weak.Stdin = strings.NewReader("password\n")
	code, out = run(t, weak)
	require.Equal(t, exitFailure, code)
	require.Contains(t, out, "weak_password")
	code, out = run(t, program(t, database, "admin", "create", "--role", "user", "--email", "u@example.com"))
	require.Equal(t, exitSettings, code, out)
}

func latest(t *testing.T) int64 {
	t.Helper()
	version, err := store.LatestVersion()
	require.NoError(t, err)
	return version
}

// versionText is how "support migrate" prints a version.
func versionText(t *testing.T, version int64) string {
	t.Helper()
	return fmt.Sprintf("version %d (latest %d)", version, latest(t))
}
