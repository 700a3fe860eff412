//go:build linux || darwin

package pgembed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	// pollInterval is how often a condition outside this process is checked.
	pollInterval = 10 * time.Millisecond
	// holderLimit is how long to wait for the process id of a lock's holder.
	holderLimit = time.Second
)

// poll waits until done returns true, or returns why ctx ended before.
func poll(ctx context.Context, done func() bool) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// fileLock is a lock that ends with the process that holds it. The file holds the number of that process.
type fileLock struct{ file *os.File }

var errLocked = errors.New("locked")

// tryLock takes the lock or returns errLocked.
func tryLock(path string) (*fileLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errLocked
	}
	l := &fileLock{file: file}
	if err == nil {
		err = l.write(strconv.Itoa(os.Getpid()))
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return l, nil
}

// waitLock takes the lock as soon as nobody else has it. It gives up when a condition holds.
func waitLock(ctx context.Context, path string, giveUp func() bool) (l *fileLock, err error) {
	cause := poll(ctx, func() bool {
		l, err = tryLock(path)
		return !errors.Is(err, errLocked) || giveUp()
	})
	return l, errors.Join(err, cause)
}

// lockFolder takes the lock of a data folder. When another process has it, the error names that process and wraps ErrInUse.
func lockFolder(ctx context.Context, path, folder string) (*fileLock, error) {
	waitCtx, cancel := context.WithTimeout(ctx, holderLimit)
	defer cancel()
	holder := 0
	l, err := waitLock(waitCtx, path, func() bool {
		// The winner may not have written its number yet, and that of a killed one may still be there: only a living one
		// is worth naming.
		holder = lockHolder(path)
		return holder != 0
	})
	switch {
	case ctx.Err() != nil:
		return l, err
	case holder != 0:
		return l, fmt.Errorf("%s is %w by process %d", folder, ErrInUse, holder)
	case errors.Is(err, errLocked):
		return l, fmt.Errorf("%s is %w by a process that cannot be seen, perhaps in another container", folder, ErrInUse)
	}
	return l, err
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

// lockHolder returns the process id in a lock file if that process is alive, of any user, and otherwise 0.
func lockHolder(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil || pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return 0
	}
	return pid
}
