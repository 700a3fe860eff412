//go:build unix

package app

import "syscall"

// openFiles returns how many files the process may open. The Go runtime has raised that to the hard limit.
func openFiles() (limit uint64, known bool) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0, false
	}
	return uint64(files.Cur), true //nolint:unconvert,nolintlint // It is signed on some systems.
}
