//go:build linux || darwin

package pgembed

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]func(e *environment, cancel context.CancelFunc) Options{
		"before": func(_ *environment, cancel context.CancelFunc) Options {
			cancel()
			return Options{}
		},
		"during initdb": func(_ *environment, cancel context.CancelFunc) Options {
			return Options{Progress: func(string) { time.AfterFunc(30*time.Millisecond, cancel) }}
		},
		"while the server starts": func(e *environment, cancel context.CancelFunc) Options {
			e.freePort = func(ctx context.Context) (int, error) {
				time.AfterFunc(30*time.Millisecond, cancel)
				return freePort(ctx)
			}
			return Options{}
		},
	}
	for name, options := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := isolated(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := e.start(ctx, options(&e, cancel))
			require.ErrorIs(t, err, context.Canceled)
			require.Nil(t, s)
			requireEmpty(t, e.temp)
			requireNoProcess(t, e.temp)
		})
	}
}

// requireNoProcess checks that no process has the directory on its command line.
func requireNoProcess(t *testing.T, folder string) {
	t.Helper()
	out, err := exec.Command("ps", "-eo", "args").Output()
	if err != nil {
		t.Log("ps is not available")
		return
	}
	require.NotContains(t, string(out), folder)
}

func TestStartLimit(t *testing.T) {
	t.Parallel()
	for _, limit := range []time.Duration{time.Nanosecond, 20 * time.Millisecond, 50 * time.Millisecond} {
		t.Run(limit.String(), func(t *testing.T) {
			t.Parallel()
			e := isolated(t)
			e.limits.start = limit
			_, err := e.start(t.Context(), Options{})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, "not ready within "+limit.String())
			require.NotContains(t, err.Error(), "may not enter")
			requireEmpty(t, e.temp)
		})
	}
}

func TestDataOfAnotherMajorVersionIsKept(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	old := filepath.Join(dir, "9", "data")
	require.NoError(t, os.MkdirAll(old, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(old, "PG_VERSION"), []byte("9\n"), 0o600))
	var told []string
	s := startServer(t, quick(t), Options{
		Dir: dir, Unsafe: true, Progress: func(sentence string) { told = append(told, sentence) },
	})
	require.Equal(t, filepath.Join(dir, strconv.Itoa(s.programs.Major)), s.Dir())
	require.NoError(t, s.Stop())
	text, err := os.ReadFile(filepath.Join(old, "PG_VERSION"))
	require.NoError(t, err)
	require.Equal(t, "9\n", string(text))
	require.Contains(t, strings.Join(told, " "), "cannot read the data of version 9")
}

func TestForeignFolderIsRefused(t *testing.T) {
	t.Parallel()
	programs, err := newEnvironment().finder.Find(t.Context())
	require.NoError(t, err)
	dir := openDir(t)
	mine := filepath.Join(dir, strconv.Itoa(programs.Major), "precious.txt")
	require.NoError(t, os.Mkdir(filepath.Dir(mine), 0o755))
	require.NoError(t, os.WriteFile(mine, nil, 0o600))
	_, err = isolated(t).start(t.Context(), Options{Dir: dir})
	require.ErrorContains(t, err, "move it away")
	require.FileExists(t, mine)
}

func TestHelperStopsCleanly(t *testing.T) {
	t.Parallel()
	h := startHelper(t, openDir(t), quick(t).template)
	report := h.report(t)
	require.NoError(t, h.stdin.Close())
	require.NoError(t, h.cmd.Wait())
	require.ErrorIs(t, syscall.Kill(report.PID, 0), syscall.ESRCH)
}

func TestInterruptedInitdbLeavesNoData(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	h := startHelper(t, dir, "")
	require.Eventually(t, func() bool {
		found, err := filepath.Glob(filepath.Join(dir, "*.init-*", "data", "PG_VERSION"))
		return err == nil && len(found) > 0
	}, patience, time.Millisecond)
	h.kill()
	programs, err := newEnvironment().finder.Find(t.Context())
	require.NoError(t, err)
	f := folder{base: dir, major: programs.Major}
	require.NoDirExists(t, f.path())
	// An interrupted initdb removes its files, but a power cut leaves them.
	trusting := f.path() + ".init-cut"
	require.NoError(t, os.MkdirAll(trusting, 0o700))

	s := startServer(t, isolated(t), Options{Dir: dir, Unsafe: true})
	require.Equal(t, "0", queryText(t, s.URL(""), "SELECT count(*)::text FROM pg_hba_file_rules WHERE auth_method = 'trust'"))
	leftovers, err := filepath.Glob(f.path() + ".init-*")
	require.NoError(t, err)
	require.Empty(t, leftovers)
	require.NoError(t, s.Stop())
}

func TestAbandonedTemporaryDirectoriesAreSwept(t *testing.T) {
	t.Parallel()
	e := quick(t)
	old := time.Now().Add(-time.Hour)
	scratch := func(name string) string {
		dir := filepath.Join(e.temp, scratchPrefix+name)
		require.NoError(t, os.Mkdir(dir, 0o755))
		require.NoError(t, os.WriteFile(folder{base: dir}.lock(), []byte("1"), 0o600))
		require.NoError(t, os.Chtimes(dir, old, old))
		return dir
	}
	abandoned, young, locked := scratch("abandoned"), scratch("young"), scratch("locked")
	require.NoError(t, os.Chtimes(young, time.Now(), time.Now()))
	l, err := tryLock(folder{base: locked}.lock())
	require.NoError(t, err)

	running := startServer(t, e, Options{Unsafe: true})
	require.NoDirExists(t, abandoned)
	require.DirExists(t, young)
	require.DirExists(t, locked)

	require.NoError(t, l.release())
	require.NoError(t, os.Chtimes(running.folder.base, old, old))
	sweepScratch(e.temp)
	require.NoDirExists(t, locked)
	require.DirExists(t, running.Dir())
}

// TestAsOrdinaryUser repeats the tests that need a server as an unprivileged user if root runs them. It is not
// parallel: if another test forks while the copied program is open for writing, the system refuses to run it.
func TestAsOrdinaryUser(t *testing.T) { //nolint:paralleltest // It forks.
	if os.Geteuid() != 0 {
		t.Skip("this run is an ordinary user's already")
	}
	who, err := serverAccount("")
	require.NoError(t, err)
	dir := openDir(t)
	program := filepath.Join(dir, "pgembed.test")
	copyProgram(t, program)
	home := filepath.Join(dir, "home")
	require.NoError(t, os.Mkdir(home, 0o755))
	require.NoError(t, who.own(home))

	cmd := exec.Command(program, "-test.run", "^Test(Data|Throw|Folder|Leftover|Stale|ServerEnds|Foreign)")
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "TMPDIR=" + home, "PATH=" + os.Getenv("PATH"), "PGBIN=" + os.Getenv("PGBIN")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who.credential()}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

func copyProgram(t *testing.T, target string) {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	source, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, source.Close()) }()
	file, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(file, source)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

func TestFolderIsOpenToTheAccountOfTheServer(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	require.NoError(t, os.Chmod(dir, 0o700))
	require.NoError(t, account{}.mayEnter(t.Context(), dir))
	if os.Geteuid() != 0 {
		return // Only root runs programs for somebody else.
	}
	somebody := account{name: "somebody", uid: 12345, gid: 12345}
	require.ErrorContains(t, somebody.mayEnter(t.Context(), dir), "may not enter "+dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, somebody.mayEnter(t.Context(), dir))
}

func TestFolderOfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	dir, owner := "/", "root"
	if os.Geteuid() == 0 {
		dir, owner = openDir(t), "12345"
		require.NoError(t, os.Chown(dir, 12345, 12345))
	}
	_, err := isolated(t).start(t.Context(), Options{Dir: dir})
	require.ErrorContains(t, err, "belongs to user "+owner)
}
