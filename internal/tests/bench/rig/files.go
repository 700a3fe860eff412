package rig

import "syscall"

// neededFiles is the most open files of a process of the benchmark: 10,000 readers, and two sockets for each of 5,000
// answers.
const neededFiles = 1 << 15

// raiseOpenFiles raises the limit of open files of this process and its children, if it may: only root can raise the
// hard limit. Stages that are smaller because of it say so.
func raiseOpenFiles() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && limit.Max < neededFiles {
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: neededFiles, Max: neededFiles}) // See OpenFiles.
	}
}

// OpenFiles returns the limit of open files of this process and its children.
func OpenFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	// The Go runtime raises its limit to the hard limit, in the server too.
	return int(min(limit.Max, 1<<20))
}
