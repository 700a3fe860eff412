package pgembed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStalePIDOfAStranger covers a process id that another process of the server's user got after a crash, as happens
// in containers. Only Linux shows another process's directory.
func TestStalePIDOfAStranger(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	first := startServer(t, quick(t), Options{Dir: dir})
	require.NoError(t, first.process.cmd.Process.Kill())
	<-first.Done()
	require.NoError(t, first.Stop())

	stranger := exec.Command("cat")
	stranger.Dir = "/"
	stranger.SysProcAttr = &syscall.SysProcAttr{Credential: first.who.credential()}
	stdin, err := stranger.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, stranger.Start())
	defer func() {
		require.NoError(t, stdin.Close())
		require.NoError(t, stranger.Wait())
	}()
	path := filepath.Join(first.folder.data(), pidFileName)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), "\n")
	require.NoError(t, os.WriteFile(path, []byte(strconv.Itoa(stranger.Process.Pid)+"\n"+rest), 0o600))

	second := startServer(t, quick(t), Options{Dir: dir})
	require.NoError(t, second.Stop())
}

func TestServerEndsWithItsParent(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	h := startHelper(t, dir, quick(t).template)
	report := h.report(t)
	execute(t, report.URL, "CREATE TABLE kept AS SELECT 'still here' AS word")

	_, err := isolated(t).start(t.Context(), Options{Dir: dir})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, "by process "+strconv.Itoa(h.cmd.Process.Pid))

	h.kill()
	// Immediately, while the server may still be shutting down.
	s := startServer(t, isolated(t), Options{Dir: dir, Unsafe: true})
	require.Equal(t, "still here", queryText(t, s.URL(""), "SELECT word FROM kept"))
	require.Eventually(t, func() bool { return !runsIn(report.PID, s.folder.data()) }, patience, interval)
	require.NoError(t, s.Stop())
}
