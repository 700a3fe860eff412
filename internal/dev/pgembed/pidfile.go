//go:build linux || darwin

package pgembed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pidFileName is the file in which a server keeps its process id, in the first line. It outlives a killed server.
const pidFileName = "postmaster.pid"

// lastServer returns the process id of the last server that ran on a data folder, or 0 if that id is not in use.
func lastServer(data string) int {
	text, _ := os.ReadFile(filepath.Join(data, pidFileName))
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	// A process of another user cannot be the server of this folder.
	if err != nil || pid <= 0 || syscall.Kill(pid, 0) != nil {
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
		pid = lastServer(data)
		return pid == 0 || !runsIn(pid, data)
	})
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil:
		return fmt.Errorf("%s is %w by process %d, a PostgreSQL server left running: end it with kill -INT %[3]d", data, ErrInUse, pid)
	case pid != 0:
		return disownPIDFile(data)
	}
	return nil
}

// disownPIDFile makes a stale file acceptable to the next server when its process id now belongs to a stranger or a
// zombie, which PostgreSQL would take for a running server. PostgreSQL accepts the id of its own parent. The file itself has to
// stay: by its other lines PostgreSQL sees whether processes of the dead server still use the shared memory.
func disownPIDFile(data string) error {
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
	_, rest, _ := strings.Cut(string(text), "\n")
	return root.WriteFile(pidFileName, fmt.Appendf(nil, "%d\n%s", os.Getpid(), rest), 0o600)
}
