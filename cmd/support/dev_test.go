package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var addressPattern = regexp.MustCompile(`http://localhost:\d+`)

// walk pastes what the welcome says into a shell, as a newcomer does, and returns what the shell prints.
func (p *process) walk(t *testing.T) string {
	t.Helper()
	_, script, found := strings.Cut(p.output.String(), "into another terminal:\n")
	require.True(t, found)
	script, _, found = strings.Cut(script, "Ctrl-C stops everything.")
	require.True(t, found)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-e", "-c", script).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// openDir returns a folder that an unprivileged database server may enter, which those of t.TempDir are not.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "support-dev-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

func TestDevIsWalkedFromSignUpToTheAnswer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openDir(t), "data")
	first := start(t, program(t, nil, "dev", "--addr", "127.0.0.1:0", "--data-dir", dir))
	first.waitFor(t, "Ctrl-C stops everything.")
	require.Contains(t, first.output.String(), "SIMULATED")
	out := first.walk(t)
	require.Contains(t, out, `"email":"ada@example.com"`)
	require.Contains(t, out, "event: start\n")
	require.Contains(t, out, `"type":"delta"`)
	require.Contains(t, out, "event: done\n")

	address := addressPattern.FindString(first.output.String())
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

	// The data is kept: the account is there, and the walk's sign-up says so.
	second := start(t, program(t, nil, "dev", "--addr", "127.0.0.1:0", "--data-dir", dir))
	second.waitFor(t, "Ctrl-C stops everything.")
	out = second.walk(t)
	require.Contains(t, out, `"code":"email_taken"`)
	require.Contains(t, out, "event: done\n")
	second.interrupt(t)
}

func TestEphemeralDevLeavesNothing(t *testing.T) {
	t.Parallel()
	tmp := openDir(t)
	p := start(t, program(t, []string{"TMPDIR=" + tmp}, "dev", "--addr", "127.0.0.1:0", "--ephemeral"))
	p.waitFor(t, "Ctrl-C stops everything.")
	p.interrupt(t)
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestDevOnATakenPortSaysSo(t *testing.T) {
	t.Parallel()
	p := start(t, program(t, nil, "dev", "--addr", "127.0.0.1:0", "--ephemeral"))
	p.waitFor(t, "Ctrl-C stops everything.")
	address := addressPattern.FindString(p.output.String())
	port := address[strings.LastIndex(address, ":"):]
	out, err := program(t, nil, "dev", "--addr", "127.0.0.1"+port, "--ephemeral").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "address already in use")
	p.interrupt(t)
}
