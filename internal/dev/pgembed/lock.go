//go:build linux || darwin

package pgembed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pollInterval is how often a condition outside this process is looked at.
const pollInterval = 10 * time.Millisecond

// holderLooks is how often the number of a lock's holder is looked for: for
// about one second.
const holderLooks = 100

// fileLock is a lock that ends with the process that holds it. The file holds
// the number of that process.
type fileLock struct{ file *os.File }

var errLocked = errors.New("locked")

// tryLock takes the lock or returns errLocked.
func tryLock(path string) (*fileLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	l := &fileLock{file: file}
	if err := l.write(strconv.Itoa(os.Getpid())); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

// lockFolder takes the lock of a data folder. When another process has it, the
// error names that process and wraps ErrInUse.
func lockFolder(ctx context.Context, path, folder string) (*fileLock, error) {
	for looks := 0; ; looks++ {
		l, err := tryLock(path)
		if !errors.Is(err, errLocked) {
			return l, err
		}
		// The winner may not have written its number yet, and that of a
		// killed one may still be there: only a living one is worth naming.
		if pid := lockHolder(path); pid > 0 && isAlive(pid) {
			return nil, fmt.Errorf("%s is %w by process %d", folder, ErrInUse, pid)
		}
		if looks == holderLooks {
			return nil, fmt.Errorf("%s is %w by a process that cannot be seen, perhaps in another container", folder, ErrInUse)
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// waitLock takes the lock as soon as nobody else has it.
func waitLock(ctx context.Context, path string) (*fileLock, error) {
	for {
		l, err := tryLock(path)
		if !errors.Is(err, errLocked) {
			return l, err
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// release gives the lock back. The file stays.
func (l *fileLock) release() error {
	err := l.write("")
	return errors.Join(err, l.file.Close())
}

func (l *fileLock) write(text string) error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(text), 0)
	return err
}

// lockHolder is the number in a lock file, or 0.
func lockHolder(path string) int {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// isAlive says whether there is such a process, of whatever user.
func isAlive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// pause waits until it is time to look again, or returns why ctx ended.
func pause(ctx context.Context) error {
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
