//go:build linux || darwin

package pgembed

import (
	"bytes"
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

// readPIDFile reads as much as the server has written. Without a file, or with
// one that is still empty, everything is zero.
func readPIDFile(data string) pidFile {
	text, err := os.ReadFile(filepath.Join(data, pidFileName))
	if err != nil {
		return pidFile{}
	}
	lines := strings.Split(string(text), "\n")
	number := func(i int) int64 {
		if i >= len(lines) {
			return 0
		}
		n, err := strconv.ParseInt(strings.TrimSpace(lines[i]), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	p := pidFile{pid: int(number(0)), started: number(2), port: int(number(3))}
	if len(lines) > 7 {
		p.status = strings.TrimSpace(lines[7])
	}
	return p
}

// liveServer is the process number of the server that runs on a data folder,
// or 0.
func liveServer(data string) int {
	pid := readPIDFile(data).pid
	// A process of another user cannot be the server of this folder.
	if pid <= 0 || syscall.Kill(pid, 0) != nil || !runsIn(pid, data) {
		return 0
	}
	return pid
}

// awaitLeftover makes sure that no server is running on the data folder. One
// whose parent was killed is given a moment to finish its shutdown; one that
// stays gives ErrInUse.
func awaitLeftover(ctx context.Context, data string, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		pid := liveServer(data)
		if pid == 0 {
			return disownPIDFile(data)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is %w by process %d, a PostgreSQL server left running: end it with kill -INT %d",
				data, ErrInUse, pid, pid)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// disownPIDFile makes a stale file acceptable to the next server when its
// number now belongs to a stranger or a zombie, which PostgreSQL would take for
// a running server. PostgreSQL accepts the number of its own parent. The file
// itself has to stay: by its other lines PostgreSQL sees whether processes of
// the dead server still use the shared memory.
func disownPIDFile(data string) error {
	pid := readPIDFile(data).pid
	if pid <= 0 || syscall.Kill(pid, 0) != nil {
		return nil
	}
	// The folder belongs to the unprivileged user, who must not be able to
	// lead root to another file by means of a link.
	root, err := os.OpenRoot(data)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	text, err := root.ReadFile(pidFileName)
	if err != nil {
		return err
	}
	_, rest, found := bytes.Cut(text, []byte("\n"))
	if !found {
		return errors.New("postmaster.pid has no second line")
	}
	head := strconv.AppendInt(nil, int64(os.Getpid()), 10)
	return root.WriteFile(pidFileName, append(append(head, '\n'), rest...), 0o600)
}
