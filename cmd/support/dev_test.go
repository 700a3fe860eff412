package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/testing/storetest"
)

var addressPattern = regexp.MustCompile(`http://localhost:\d+`)

// walk runs the indented commands of the welcome in a shell, as a newcomer does, and returns the shell's output.
func (p *process) walk(t *testing.T) string {
	t.Helper()
	_, script, found := strings.Cut(p.output.String(), "into another terminal:\n")
	require.True(t, found)
	script, _, found = strings.Cut(script, "Ctrl-C stops everything.")
	require.True(t, found)
	commands := strings.Split(script, "\n")
	commands = slices.DeleteFunc(commands, func(line string) bool { return !strings.HasPrefix(line, "  ") })
	script = strings.Join(commands, "\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-e", "-c", script).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// openDir returns a directory that an unprivileged database server may enter, unlike those of t.TempDir.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(storetest.MemoryDir(), "support-dev-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// dataDir returns a data directory with a migrated database. Creating one takes most of the time of a first start.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, files := openDir(t), storetest.Files(t)
	if files != "" {
		// That file names the port of the last run, which all copies would try.
		out, err := exec.Command("sh", "-c", `cp -a "$0/." "$1" && rm "$1"/*/data/postmaster.opts`, files, dir).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return dir
}

func TestDevWelcomeWorksFromLogInToAnswer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openDir(t), "data")
	first := start(t, program(t, nil, "dev", "--addr", "127.0.0.1:0", "--data-dir", dir))
	first.waitFor(t, "Ctrl-C stops everything.")
	require.Contains(t, first.output.String(), "SIMULATED")
	out := first.walk(t)
	require.Contains(t, out, "event: start\n")
	require.Contains(t, out, `"type":"delta"`)
	require.Contains(t, out, "event: done\n")
	require.Contains(t, out, `"title":"Where is my parcel?"`, "the API key acts for a customer")

	address := addressPattern.FindString(first.output.String())
	for email, role := range map[string]string{"admin@example.com": "admin", "staff@example.com": "agent", "ada@example.com": "user"} {
		require.Equal(t, role, roleOf(t, address, email))
	}
	for path, want := range map[string]string{
		"/docs": "text/html; charset=utf-8", "/redoc": "text/html; charset=utf-8",
		"/openapi.yaml": "application/yaml", "/openapi.json": "application/json",
	} {
		response := get(t, address+path)
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, want, response.Header.Get("Content-Type"))
	}
	first.interrupt(t)
	_, err := fetch(t, address)
	require.Error(t, err, "the server has ended")

	// The data directory is kept and used again.
	second := start(t, program(t, nil, "dev", "--addr", "127.0.0.1:0", "--data-dir", dir))
	second.waitFor(t, "Ctrl-C stops everything.")
	for _, pattern := range []string{`postgres://\S+`, `API key +sk_\S+`} {
		kept := regexp.MustCompile(pattern).FindString(first.output.String())
		require.NotEmpty(t, kept)
		require.Contains(t, second.output.String(), kept)
	}
	require.Contains(t, second.walk(t), "event: done\n")
	second.interrupt(t)
}

// roleOf logs an account in with the documented password and returns its role.
func roleOf(t *testing.T, address, email string) string {
	t.Helper()
	c, err := plain.NewClientWithResponses(address)
	require.NoError(t, err)
	token, err := c.LogInWithResponse(t.Context(), nil, client.LogInRequest{Email: email, Password: "correct horse battery"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, token.StatusCode(), "%s", token.Body)
	me, err := c.GetMeWithResponse(t.Context(), nil, func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token.JSON200.AccessToken)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, me.StatusCode(), "%s", me.Body)
	return string(me.JSON200.Role)
}

func TestDevWithoutDemoStartsEmpty(t *testing.T) {
	t.Parallel()
	p := start(t, program(t, nil, "dev", "--addr", "127.0.0.1:0", "--data-dir", dataDir(t), "--no-demo"))
	p.waitFor(t, "Ctrl-C stops everything.")
	require.NotContains(t, p.output.String(), "API key")
	database := regexp.MustCompile(`postgres://\S+`).FindString(p.output.String())
	require.Equal(t, "0", storetest.QueryText(t, database, "SELECT count(*)::text FROM users"))
	out := p.walk(t)
	require.Contains(t, out, `"email":"ada@example.com"`, "the welcome begins with a sign-up")
	require.Contains(t, out, "event: done\n")
	p.interrupt(t)
}

func TestDevFillsAnEmptyDesk(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	const counted = `SELECT concat_ws(' ', (SELECT count(*) FROM users WHERE role = 'user'), (SELECT count(*) FROM tickets),
		(SELECT count(DISTINCT status) FROM tickets), (SELECT count(*) > 20 FROM messages WHERE is_note),
		(SELECT count(*) > 5 FROM ai_responses WHERE review = 'pending'), (SELECT count(*) > 20 FROM message_feedback),
		(SELECT max(created_at) - min(created_at) > interval '60 days' FROM tickets))`
	for range 2 {
		p := start(t, program(t, nil, "dev", "--addr", "127.0.0.1:0", "--data-dir", dir, "--demo"))
		p.waitFor(t, "Ctrl-C stops everything.")
		require.Contains(t, p.output.String(), "Filling the desk")
		database := regexp.MustCompile(`postgres://\S+`).FindString(p.output.String())
		require.Equal(t, "42 200 4 t t t t", storetest.QueryText(t, database, counted), "a second start adds no tickets")
		p.interrupt(t)
	}
}

func TestDevAddsNoDemoAccountsToAnotherDatabase(t *testing.T) {
	t.Parallel()
	database := storetest.NewURL(t)
	p := start(t, program(t, []string{"DATABASE_URL=" + database, "HOME=" + openDir(t)}, "dev", "--addr", "127.0.0.1:0", "--ephemeral"))
	p.waitFor(t, "Ctrl-C stops everything.")
	require.NotContains(t, p.output.String(), "API key")
	require.Equal(t, "0", storetest.QueryText(t, database, "SELECT count(*)::text FROM users"))
	p.interrupt(t)
}

func TestDevReadsSettingsFromAFile(t *testing.T) {
	t.Parallel()
	folder := openDir(t)
	file := "# a comment\nexport GROQ_MODEL=\"from the file\"\nGROQ_API_URL=http://127.0.0.1:1/v1\nSUPPORT_LOG_LEVEL=\nPOSTGRES_PASSWORD=canary\n"
	require.NoError(t, os.WriteFile(filepath.Join(folder, ".env"), []byte(file), 0o600))
	cmd := program(t, []string{"GROQ_API_URL=http://127.0.0.1:2/v1"}, "dev", "--addr", "127.0.0.1:0", "--data-dir", dataDir(t), "--no-demo")
	cmd.Dir = folder
	p := start(t, cmd)
	p.waitFor(t, "Ctrl-C stops everything.")
	require.Contains(t, p.output.String(), "From .env: GROQ_MODEL")
	require.Contains(t, p.output.String(), "from http://127.0.0.1:2/v1, model from the file", "the environment takes precedence")
	require.NotContains(t, p.output.String(), "canary")
	p.interrupt(t)
}

func TestDevWarnsThatOthersCanLogIn(t *testing.T) {
	t.Parallel()
	p := start(t, program(t, nil, "dev", "--addr", ":0", "--data-dir", dataDir(t)))
	p.waitFor(t, "WARNING")
	p.interrupt(t)
}

func TestEphemeralDevLeavesNothing(t *testing.T) {
	t.Parallel()
	// If the tests run under nohup, a program would ignore SIGHUP too, unless this process handles it.
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangUps) })
	for name, signals := range map[string][]os.Signal{
		"Ctrl-C": {os.Interrupt},
		// The kernel and the shell may both send one.
		"the terminal was closed": {syscall.SIGHUP, syscall.SIGHUP, syscall.SIGHUP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmp := openDir(t)
			p := start(t, program(t, []string{"TMPDIR=" + tmp}, "dev", "--addr", "127.0.0.1:0", "--ephemeral"))
			p.waitFor(t, "Ctrl-C stops everything.")
			for _, s := range signals {
				require.NoError(t, p.cmd.Process.Signal(s))
			}
			p.waitFor(t, "shutting down")
			_, err := io.Copy(io.Discard, p.stdout)
			require.NoError(t, err)
			require.NoError(t, p.cmd.Wait())
			left, err := os.ReadDir(tmp)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}
