package pgembed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// processAttributes put a child into a process group of its own, so that Ctrl-C
// in the terminal reaches only the parent, and have the kernel shut the child
// down when the thread that started it ends.
func processAttributes(who account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who.credential(), Setpgid: true, Pdeathsig: syscall.SIGINT}
}

// runsIn reports whether the process works in the folder, as a PostgreSQL server
// does in its data folder. It tells a server from a stranger that got the
// process id of a dead one, and from a zombie.
func runsIn(pid int, folder string) bool {
	here, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	if err != nil {
		// A process that may not be inspected counts as a server.
		return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH)
	}
	there, err := os.Stat(folder)
	return err == nil && os.SameFile(here, there)
}
