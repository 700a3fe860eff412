//go:build unix

package npmtest

import (
	"os/exec"
	"syscall"
)

// endWithChildren lets the end of the command be that of the processes it has started.
func endWithChildren(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
