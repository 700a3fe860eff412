//go:build linux || darwin

package pgembed

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	err  error // how it ended, never nil; to be read after done is closed
}

var errExited = errors.New("exit status 0")

// startProcess starts a program under the given account.
func startProcess(who account, output io.Writer, program string, args ...string) (*process, error) {
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = processAttributes(who)
	// The current folder may be one that the account cannot enter.
	cmd.Dir = "/"
	cmd.Env = childEnvironment()
	// A killed server's own children hold its output open for a moment.
	cmd.WaitDelay = 5 * time.Second

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
			if p.err = cmd.Wait(); p.err == nil {
				p.err = errExited
			}
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return p, nil
}

// ended reports whether the child is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// succeed waits for the child to end by itself. When ctx ends first, the child and its own children are killed.
func (p *process) succeed(ctx context.Context) error {
	select {
	case <-p.done:
		if errors.Is(p.err, errExited) {
			return nil
		}
		return p.err
	case <-ctx.Done():
		// The child leads its group, so its number is the group's.
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		return context.Cause(ctx)
	}
}

// stop asks a server to shut down: at once but cleanly, then without a checkpoint, then it is killed. It returns an error
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
