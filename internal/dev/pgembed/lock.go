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

// pollInterval is how often a condition outside this process is checked.
const pollInterval = 10 * time.Millisecond

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

// fileLock is a lock that ends with the process that holds it. The file has the process id of the last one.
type fileLock struct{ file *os.File }

var errLocked = errors.New("locked")

// tryLock takes the lock or returns errLocked.
func tryLock(path string) (fileLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fileLock{}, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errLocked
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err == nil {
		_, err = file.WriteString(strconv.Itoa(os.Getpid()))
	}
	if err != nil {
		return fileLock{}, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return fileLock{file: file}, nil
}

// waitLock takes the lock as soon as nobody else has it.
func waitLock(ctx context.Context, path string) (l fileLock, err error) {
	cause := poll(ctx, func() bool {
		l, err = tryLock(path)
		return !errors.Is(err, errLocked)
	})
	return l, errors.Join(err, cause)
}

// lockFolder takes the lock of a folder. When another process has it, the error names that process and wraps ErrInUse.
func lockFolder(path, folder string) (fileLock, error) {
	l, err := tryLock(path)
	if errors.Is(err, errLocked) {
		holder, readErr := os.ReadFile(path)
		err = errors.Join(fmt.Errorf("%s is %w by process %s", folder, ErrInUse, holder), readErr)
	}
	return l, err
}

// release gives the lock back. The file stays.
func (l fileLock) release() error {
	if l.file == nil {
		return nil
	}
	// Closing the file is not enough: a child that is being started has it open for a moment.
	return errors.Join(syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN), l.file.Close())
}
