//go:build chaos && linux

package chaos

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keptLines limits how many lines of a process's output are kept.
const keptLines = 20_000

var servingPattern = regexp.MustCompile(`"msg":"serving","addr":"([^"]+)"`)

// process is a running server.
type process struct {
	cmd     *exec.Cmd
	address string
	ended   chan struct{} // closed when the process has ended and its output is read
	err     error         // how it ended

	mu    sync.Mutex
	lines []string
}

// start starts the program and returns when it serves. The program ends with the test, even when this process is
// killed.
func start(ctx context.Context, t *testing.T, environ []string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program(), "serve"), ended: make(chan struct{})}
	p.cmd.Env = environ
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	output, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	started, serving := make(chan error, 1), make(chan string, 1)
	go func() {
		// Pdeathsig ties the child to the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.read(output, serving)
			p.err = p.cmd.Wait()
			close(p.ended)
		}
	}()
	require.NoError(t, <-started)
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
		for _, line := range p.output() {
			if strings.Contains(line, "DATA RACE") || strings.Contains(line, "panic") {
				t.Error(line)
			}
		}
		if t.Failed() {
			p.logTrouble(t)
		}
	})
	select {
	case address := <-serving:
		p.address = "http://" + address
	case <-p.ended:
		require.NoError(t, errors.Join(errors.New("the server did not start"), p.err), "%s", strings.Join(p.output(), "\n"))
	case <-ctx.Done():
		require.NoError(t, context.Cause(ctx), "the server does not start")
	}
	return p
}

func (p *process) read(output io.Reader, serving chan<- string) {
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if match := servingPattern.FindStringSubmatch(line); match != nil {
			serving <- match[1]
		}
		p.mu.Lock()
		p.lines = append(p.lines, line)
		if len(p.lines) > keptLines {
			p.lines = slices.Delete(p.lines, 0, keptLines/2)
		}
		p.mu.Unlock()
	}
}

func (p *process) output() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// logTrouble logs the warnings and errors of the process.
func (p *process) logTrouble(t *testing.T) {
	t.Helper()
	const shown = 40
	trouble := slices.DeleteFunc(p.output(), func(line string) bool {
		return strings.Contains(line, `"level":"INFO"`) || strings.Contains(line, `"msg":"request"`)
	})
	t.Logf("%s: the last of %d warnings and errors:\n%s", p.address, len(trouble),
		strings.Join(trouble[max(0, len(trouble)-shown):], "\n"))
}

// signal sends a signal. It does nothing if the process has ended.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// await waits for the process to exit and returns its exit code.
func (p *process) await(ctx context.Context, t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-ctx.Done():
		require.NoError(t, context.Cause(ctx), "the process does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// countFiles counts the process's open files, including sockets.
func (p *process) countFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/" + itoa(p.cmd.Process.Pid) + "/fd")
	require.NoError(t, err)
	return len(entries)
}

// dumpGoroutines ends the process and returns the stacks of its goroutines.
func (p *process) dumpGoroutines(ctx context.Context, t *testing.T) []string {
	t.Helper()
	p.signal(syscall.SIGQUIT)
	p.await(ctx, t)
	var stacks []string
	for _, line := range p.output() {
		switch {
		case strings.HasPrefix(line, "goroutine "):
			stacks = append(stacks, line)
		case len(stacks) > 0:
			stacks[len(stacks)-1] += "\n" + line
		}
	}
	return stacks
}

// command runs another command of the program.
func command(ctx context.Context, t *testing.T, environ []string, stdin string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(), args...)
	cmd.Env, cmd.Stdin = environ, strings.NewReader(stdin)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", args, output)
}
