//go:build linux || darwin

package pgembed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a child: initdb, or the server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended; to be read after done is closed
}

// startProcess starts a child under the given account.
func startProcess(cmd *exec.Cmd, who account) (*process, error) {
	cmd.SysProcAttr = processAttributes(who)
	// The current folder may be one that the account cannot enter.
	cmd.Dir = "/"
	cmd.Env = childEnvironment()
	// A killed server's own children hold its output open for a moment.
	cmd.WaitDelay = 5 * time.Second

	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ties the child to the thread that started it, not to the
		// process: the thread has to live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// ended says whether the child is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// ending is how the child ended, never nil. It may be asked once done is closed.
func (p *process) ending() error {
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}

// wait waits for the child to end by itself. When ctx ends first, the child
// and its own children are killed.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		// The child leads its group, so its number is the group's.
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		return context.Cause(ctx)
	}
}

// stop asks a server to shut down: at once but cleanly, then without a
// checkpoint, then it is killed. It returns an error when the first was not
// enough, because the next start then has to recover the data.
func (p *process) stop(l limits) error {
	steps := []struct {
		signal syscall.Signal
		limit  time.Duration
	}{{syscall.SIGINT, l.fast}, {syscall.SIGQUIT, l.immediate}}
	for i, step := range steps {
		// Fails only when the process has just ended.
		_ = p.cmd.Process.Signal(step.signal)
		timer := time.NewTimer(step.limit)
		select {
		case <-p.done:
			timer.Stop()
			if i > 0 {
				return fmt.Errorf("the server did not shut down within %s and was stopped with %s", l.fast, step.signal)
			}
			return nil
		case <-timer.C:
		}
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("the server did not shut down within %s and was killed", l.fast+l.immediate)
}

// childEnvironment passes on only what the programs need to run. The rest may
// hold secrets of the parent, or PG variables that would redirect the server.
func childEnvironment() []string {
	// English messages, because some are read by this package; the same time
	// zone on every machine.
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
