//go:build linux || darwin

package pgembed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/supportbackend/support/internal/dev/pgembed/programs"
)

// findOrDownload returns the programs on this machine, or downloads some.
func (e environment) findOrDownload(ctx context.Context, o Options) (programs.Programs, error) {
	found, err := e.finder.Find(ctx)
	if !errors.Is(err, ErrNoBinaries) {
		return found, err
	}
	limit := fmt.Errorf("no complete download within %s: %w", e.limits.download, context.DeadlineExceeded)
	downloadCtx, cancel := context.WithTimeoutCause(ctx, e.limits.download, limit)
	defer cancel()
	if failure := e.download(downloadCtx, o); failure != nil {
		if downloadCtx.Err() != nil {
			failure = context.Cause(downloadCtx)
		}
		return programs.Programs{}, fmt.Errorf("%w; downloading PostgreSQL %s: %w", err, programs.DownloadVersion, failure)
	}
	return e.finder.Find(ctx)
}

// download puts the programs into the cache folder, where the finder sees them.
func (e environment) download(ctx context.Context, o Options) (err error) {
	base := e.finder.Downloads
	if base == "" {
		return errors.New("there is no cache folder to keep it in")
	}
	if err := makeFolder(base); err != nil {
		return err
	}
	lock, err := waitLock(ctx, filepath.Join(base, "lock"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	target := filepath.Join(base, programs.DownloadVersion)
	if _, err := os.Stat(target); err == nil {
		return nil // Another process has downloaded the programs while this one waited.
	}
	o.tell("Downloading PostgreSQL %s to %s.", programs.DownloadVersion, base)
	return programs.Download(ctx, e.repository, target)
}
