package pgembed

import "syscall"

// processAttributes put a child into a process group of its own, so that Ctrl-C
// in the terminal reaches only the parent. This system has no way to tie a
// child's life to its parent's.
func processAttributes(who account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who.credential(), Setpgid: true}
}

// runsIn cannot see another process's folder here and takes any running
// process for the server.
func runsIn(int, string) bool { return true }
