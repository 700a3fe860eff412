//go:build linux || darwin

package pgembed

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

const (
	scratchPrefix = "support-pg-"

	// scratchAge is how old a throw-away folder has to be before it is taken for abandoned: a new one is not locked yet.
	scratchAge = time.Minute
)

// sweepScratch removes the throw-away folders of processes that were killed before they could do it, such as tests that ran
// into their time limit. What it cannot remove stays for the next time.
func sweepScratch(temp string) {
	// Glob fails only on a malformed pattern.
	dirs, _ := filepath.Glob(filepath.Join(temp, scratchPrefix+"*"))
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < scratchAge {
			continue
		}
		if uid, _ := ownerOf(info); int(uid) == os.Geteuid() {
			sweepFolder(dir)
		}
	}
}

// sweepFolder removes one throw-away folder unless a process has its lock or a server still runs in it.
func sweepFolder(dir string) {
	locks, _ := filepath.Glob(filepath.Join(dir, "*.lock"))
	for _, path := range locks {
		l, err := tryLock(path)
		if err != nil {
			return
		}
		defer func() { _ = l.release() }() //nolint:gocritic // All of them are held until the end.
	}
	pidFiles, _ := filepath.Glob(filepath.Join(dir, "*", "data", pidFileName))
	for _, path := range pidFiles {
		if liveServer(filepath.Dir(path)) != 0 {
			return
		}
	}
	_ = os.RemoveAll(dir)
}

// removeFolder removes a folder to which the orphans of a killed process may still be writing for a moment.
func removeFolder(dir string) (err error) {
	// The context of Start has ended by now, so this wait has its own end.
	ctx, cancel := context.WithTimeout(context.Background(), removeLimit) //nolint:forbidigo // See above.
	defer cancel()
	_ = poll(ctx, func() bool {
		err = os.RemoveAll(dir)
		return err == nil
	})
	return err
}
