//go:build unix

package npmtest

import (
	"os/exec"
	"syscall"
)

// endWithChildren makes cancelling the command also kill the processes that it has started.
func endWithChildren(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
