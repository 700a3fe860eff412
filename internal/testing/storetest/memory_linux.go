package storetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	// memory is where Linux keeps files in memory. A database is made there in a third of the time.
	memory = "/dev/shm"
	// prefix is that of the folders of test binaries, whose process ids follow.
	prefix = "support-test-pg-"
)

// memoryDir returns the folder in memory for this process's server, or "" where there is no room for one. It removes
// what test binaries have left that were killed.
func memoryDir() string {
	left, _ := filepath.Glob(filepath.Join(memory, prefix+"*"))
	for _, dir := range left {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), prefix))
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(memory, &stat); err != nil || stat.Bavail*uint64(stat.Bsize) < 2<<30 {
		return ""
	}
	return filepath.Join(memory, fmt.Sprint(prefix, os.Getpid()))
}

func removeDir(dir string) error {
	if dir == "" {
		return nil // The server has removed its own.
	}
	return os.RemoveAll(dir)
}
