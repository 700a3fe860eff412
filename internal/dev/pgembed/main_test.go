//go:build linux || darwin

package pgembed

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// helperDir is the variable that names the data directory. With it, the test binary runs a server instead of the tests.
// helperTemplate names the template, or is empty.
const helperDir, helperTemplate = "PGEMBED_TEST_HELPER_DIR", "PGEMBED_TEST_HELPER_TEMPLATE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		os.Exit(serveAsHelper(dir))
	}
	// Files in memory are much faster. The tests also run programs from there, which containers often forbid.
	const memory, noExec = "/dev/shm", 8
	var stat syscall.Statfs_t
	if err := syscall.Statfs(memory, &stat); err == nil && stat.Flags&noExec == 0 && os.Getenv("TMPDIR") == "" {
		_ = os.Setenv("TMPDIR", memory)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(seedDir)
		os.Exit(code)
	}))
}

// helperReport is what a helper writes once its server is ready.
type helperReport struct {
	URL string
	PID int
}

// serveAsHelper runs a server until standard input ends.
func serveAsHelper(dir string) int {
	s, err := Start(context.Background(), Options{Dir: dir, Unsafe: true, Template: os.Getenv(helperTemplate)})
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error())
		return 1
	}
	report := helperReport{URL: s.URL(""), PID: s.process.cmd.Process.Pid}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(); err != nil {
		return 1
	}
	return 0
}

// helper is a running copy of the test binary.
type helper struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
}

func startHelper(t *testing.T, dir, template string) helper {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), helperDir+"="+dir, helperTemplate+"="+template)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	h := helper{cmd: cmd, stdin: stdin, stdout: bufio.NewReader(stdout)}
	t.Cleanup(h.kill)
	return h
}

func (h helper) report(t *testing.T) helperReport {
	t.Helper()
	line, err := h.stdout.ReadBytes('\n')
	require.NoError(t, err)
	var report helperReport
	require.NoError(t, json.Unmarshal(line, &report))
	return report
}

// kill ends the helper without a chance to clean up.
func (h helper) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

// openDir returns a directory that the user who runs the server for root may enter, unlike t.TempDir.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgembed-test-*")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	return dir
}

// isolated returns an environment with the test's own temporary directories.
func isolated(t *testing.T) environment {
	t.Helper()
	e := newEnvironment()
	e.temp = openDir(t)
	return e
}

// seedDir is the folder of a server that has stopped, once a quick environment has needed one.
var seedDir string

var seed = sync.OnceValue(func() (err error) {
	if seedDir, err = os.MkdirTemp("", "pgembed-seed-*"); err != nil {
		return err
	}
	if err := os.Chmod(seedDir, 0o755); err != nil {
		return err
	}
	s, err := Start(context.Background(), Options{Dir: seedDir, Unsafe: true})
	if err != nil {
		return err
	}
	return s.Stop()
})

// quick is an isolated environment for tests of what comes after initdb, which takes most of the time of a start: only the
// first one runs it.
func quick(t *testing.T) environment {
	t.Helper()
	e := isolated(t)
	require.NoError(t, seed())
	e.template = seedDir
	return e
}

func startServer(t *testing.T, e environment, o Options) *Server {
	t.Helper()
	begin := time.Now()
	s, err := e.start(t.Context(), o)
	require.NoError(t, err)
	t.Logf("ready after %s", time.Since(begin).Round(time.Millisecond))
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	// The test's own context has ended when this runs.
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	_, err := connect(t, url).Exec(t.Context(), sql)
	require.NoError(t, err)
}

func queryText(t *testing.T, url, sql string) string {
	t.Helper()
	var text string
	require.NoError(t, connect(t, url).QueryRow(t.Context(), sql).Scan(&text))
	return text
}

// requireEmpty checks that a directory is empty.
func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

const (
	patience = 20 * time.Second
	interval = 5 * time.Millisecond
)
