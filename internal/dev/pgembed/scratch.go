//go:build linux || darwin

package pgembed

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

const (
	scratchPrefix = "support-postgres-"

	// scratchAge is how old a throw-away folder has to be before it is taken for abandoned: a new one is not locked yet.
	scratchAge = time.Minute

	// removeLimit bounds the removal of a folder that is still being written to.
	removeLimit = 5 * time.Second
)

// sweepScratch removes the throw-away folders of processes that were killed before they could do it, such as tests that ran
// into their time limit. A server that has outlived its parent ends without its folder. What cannot be removed stays for the
// next time.
func sweepScratch(temp string) {
	// Glob fails only on a malformed pattern.
	dirs, _ := filepath.Glob(filepath.Join(temp, scratchPrefix+"*"))
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < scratchAge {
			continue
		}
		if uid, _ := ownerOf(info); int(uid) != os.Geteuid() {
			continue
		}
		if l, err := tryLock(folder{base: dir}.lock()); err == nil {
			_ = os.RemoveAll(dir)
			_ = l.release()
		}
	}
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
