//go:build linux || darwin

package pgembed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const pidFileName = "postmaster.pid"

// pidFile is what a server writes about itself into its data folder.
type pidFile struct {
	pid     int
	started int64 // seconds since 1970
	port    int
	status  string
}

// readPIDFile reads as much as the server has written. What is missing is zero.
func readPIDFile(data string) pidFile {
	text, _ := os.ReadFile(filepath.Join(data, pidFileName))
	lines := append(strings.Split(string(text), "\n"), make([]string, 8)...)
	number := func(line string) int64 {
		n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return pidFile{
		pid: int(number(lines[0])), started: number(lines[2]), port: int(number(lines[3])), status: strings.TrimSpace(lines[7]),
	}
}

// liveServer is the process number of the server that runs on a data folder, or 0.
func liveServer(data string) int {
	pid := readPIDFile(data).pid
	// A process of another user cannot be the server of this folder.
	if pid <= 0 || syscall.Kill(pid, 0) != nil || !runsIn(pid, data) {
		return 0
	}
	return pid
}

// awaitLeftover makes sure that no server is running on the data folder. One whose parent was killed is given a moment to
// finish its shutdown; one that stays gives ErrInUse.
func awaitLeftover(ctx context.Context, data string, limit time.Duration) error {
	waitCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	pid := 0
	err := poll(waitCtx, func() bool {
		pid = liveServer(data)
		return pid == 0
	})
	switch {
	case err == nil:
		return disownPIDFile(data)
	case ctx.Err() != nil:
		return err
	}
	return fmt.Errorf("%s is %w by process %d, a PostgreSQL server left running: end it with kill -INT %[3]d", data, ErrInUse, pid)
}

// disownPIDFile makes a stale file acceptable to the next server when its number now belongs to a stranger or a zombie,
// which PostgreSQL would take for a running server. PostgreSQL accepts the number of its own parent. The file itself has to
// stay: by its other lines PostgreSQL sees whether processes of the dead server still use the shared memory.
func disownPIDFile(data string) error {
	pid := readPIDFile(data).pid
	if pid <= 0 || syscall.Kill(pid, 0) != nil {
		return nil
	}
	// The folder belongs to the unprivileged user, who must not be able to lead root to another file by means of a link.
	root, err := os.OpenRoot(data)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	text, err := root.ReadFile(pidFileName)
	if err != nil {
		return err
	}
	_, rest, found := strings.Cut(string(text), "\n")
	if !found {
		return errors.New("postmaster.pid has no second line")
	}
	return root.WriteFile(pidFileName, fmt.Appendf(nil, "%d\n%s", os.Getpid(), rest), 0o600)
}
