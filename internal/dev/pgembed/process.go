//go:build linux || darwin

package pgembed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// command returns a program that runs under the given account. When ctx ends, it and its own children are killed.
func command(ctx context.Context, who account, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = processAttributes(who)
	// The current folder may be one that the account cannot enter.
	cmd.Dir = "/"
	cmd.Env = childEnvironment()
	// The child leads its group, so its process id is the group's.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// The children of a killed program hold its output open for a moment.
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ties the child to the thread that started it, not to the process: the thread has to live as long as the
		// child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // The command keeps how it ended.
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// ended reports whether the server is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop asks the server to shut down: at once but cleanly, then without a checkpoint, then it is killed. It returns an error
// when the first was not enough, because the next start then has to recover the data.
func (p *process) stop(l limits) error {
	if p.endsWithin(l.fast, syscall.SIGINT) {
		return nil
	}
	if p.endsWithin(l.immediate, syscall.SIGQUIT) {
		return fmt.Errorf("the server did not shut down within %s and was stopped without a checkpoint", l.fast)
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("the server did not shut down within %s and was killed", l.fast+l.immediate)
}

func (p *process) endsWithin(limit time.Duration, signal os.Signal) bool {
	_ = p.cmd.Process.Signal(signal) // Fails only when the process has just ended.
	select {
	case <-p.done:
		return true
	case <-time.After(limit):
		return false
	}
}

// childEnvironment passes on only what the programs need to run. The rest may hold secrets of the parent, or PG variables
// that would redirect the server.
func childEnvironment() []string {
	// English messages, because some are read by this package; the same time zone on every machine.
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{
		"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH",
		"LOCPATH", "LOCALE_ARCHIVE", "HOME",
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
