package rig

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// clockTick is the unit of CPU times in /proc, the same on every Linux.
	clockTick = 10 * time.Millisecond

	startTimeout = 15 * time.Second
	startPoll    = 5 * time.Millisecond
)

// Process is a measured program that serves HTTP.
type Process struct {
	URL string
	// Starting is how long it took until it was ready.
	Starting time.Duration

	cmd     *exec.Cmd
	logName string
	ended   chan struct{}
}

// startProcess runs a program with the environment and returns when its ready path responds. The arguments get the
// address to listen on.
func startProcess(
	ctx context.Context, dir, ready string, command func(addr string) *exec.Cmd,
) (*Process, error) {
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(dir, "*.log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // The program has its own descriptor.
	p := &Process{cmd: command(addr), URL: "http://" + addr, logName: log.Name(), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // The log shows how it ended.
		close(p.ended)
	}()
	if err := p.await(ctx, ready); err != nil {
		p.Stop()
		return nil, err
	}
	p.Starting = time.Since(begin)
	return p, nil
}

// freeAddress returns an address that is not in use.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func (p *Process) await(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path, http.NoBody)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s has ended:\n%s", p.cmd.Path, p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready:\n%s", p.cmd.Path, p.lastWords())
		case <-time.After(startPoll):
		}
	}
}

// lastWords returns the end of the log.
func (p *Process) lastWords() string {
	const most = 2000
	text, err := os.ReadFile(p.logName)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// Stop kills the process, because nothing of its state is needed.
func (p *Process) Stop() {
	_ = p.cmd.Process.Kill() // It may have ended already.
	<-p.ended
}

// Goroutines ends the process with SIGQUIT, which makes a Go program print the stacks of all goroutines, and counts
// them.
func (p *Process) Goroutines() (int, error) {
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return 0, err
	}
	<-p.ended
	log, err := os.Open(p.logName)
	if err != nil {
		return 0, err
	}
	defer func() { _ = log.Close() }()
	count := 0
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadSlice('\n')
		if stackHeader.Match(line) {
			count++
		}
		if errors.Is(err, io.EOF) {
			return count, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return 0, err
		}
	}
}

var stackHeader = regexp.MustCompile(`^goroutine \d+ `)

// CPU returns the CPU time that the process has used. A nil process has used none.
func (p *Process) CPU() (time.Duration, error) {
	if p == nil {
		return 0, nil
	}
	s, err := readStat(p.cmd.Process.Pid)
	return s.own, err
}

// RSS returns the resident memory of the process, in bytes.
func (p *Process) RSS() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := bytes.Cut(text, []byte("VmRSS:"))
	value, _, _ := bytes.Cut(after, []byte("kB"))
	kib, err := strconv.ParseInt(strings.TrimSpace(string(value)), 10, 64)
	return kib << 10, err
}

// stat has the CPU times in /proc/PID/stat: of the process, and of the children that it has waited for.
type stat struct {
	parent        int
	own, children time.Duration
}

// readStat reads /proc/PID/stat as described in proc(5). The second field is a name in brackets that may contain
// anything.
func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	const parent, utime, stime, cutime, cstime = 1, 11, 12, 13, 14 // Counted from the field after the name.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) <= cstime {
		return stat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	number := func(i int) int {
		n, numberErr := strconv.Atoi(fields[i])
		err = errors.Join(err, numberErr)
		return n
	}
	return stat{
		parent:   number(parent),
		own:      time.Duration(number(utime)+number(stime)) * clockTick,
		children: time.Duration(number(cutime)+number(cstime)) * clockTick,
	}, err
}

// familyCPU returns the CPU time of a process and all its children, including ended ones.
func familyCPU(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	if err != nil {
		return 0, err
	}
	total := s.own + s.children
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		child, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			return 0, err
		}
		// A child that has ended meanwhile is included in its parent's time.
		if s, err := readStat(child); err == nil && s.parent == pid {
			total += s.own
		}
	}
	return total, nil
}
