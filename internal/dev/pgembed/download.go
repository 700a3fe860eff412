//go:build linux || darwin

package pgembed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// downloadVersion is the PostgreSQL that is fetched when there is none.
const downloadVersion = embeddedpostgres.V17

// findOrDownload returns the programs on this machine, or fetches some if that
// is allowed.
func (e environment) findOrDownload(ctx context.Context, o Options) (Binaries, error) {
	programs, err := e.finder.find(ctx)
	if !errors.Is(err, ErrNoBinaries) || !o.Download {
		return programs, err
	}
	limit := fmt.Errorf("no complete download within %s: %w", e.limits.download, context.DeadlineExceeded)
	downloadCtx, cancel := context.WithTimeoutCause(ctx, e.limits.download, limit)
	defer cancel()
	if failure := e.download(downloadCtx, o); failure != nil {
		return Binaries{}, fmt.Errorf("%w; downloading PostgreSQL %s: %w", err, downloadVersion, failure)
	}
	return e.finder.find(ctx)
}

// download puts the programs into the cache folder, where the finder sees them.
func (e environment) download(ctx context.Context, o Options) error {
	if e.finder.cache == "" {
		return errors.New("there is no cache folder to keep it in")
	}
	base := filepath.Join(e.finder.cache, "binaries")
	who, err := serverAccount("")
	if err != nil {
		return err
	}
	if err := makeFolders(base, who.folderMode()); err != nil {
		return err
	}
	if err := checkFolder(base); err != nil {
		return err
	}
	lock, err := waitLock(ctx, filepath.Join(base, "lock"))
	if err != nil {
		return err
	}
	o.tell("Downloading PostgreSQL %s to %s.", downloadVersion, base)
	port, err := e.freePort(ctx)
	if err != nil {
		return errors.Join(err, lock.release())
	}
	result := make(chan error, 1)
	go func() {
		// The download itself cannot be interrupted. It keeps the lock until
		// its end, so that the next one finds its files complete or gone.
		err := fetch(base, e.repository, uint32(port)) //nolint:gosec // A port has 16 bits.
		result <- errors.Join(err, lock.release())
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fetch downloads and unpacks the programs below base, all or nothing.
func fetch(base, repository string, port uint32) (err error) {
	target := filepath.Join(base, string(downloadVersion))
	if _, err := os.Stat(target); err == nil {
		return nil // fetched by another process while this one waited
	}
	leftovers, err := filepath.Glob(filepath.Join(base, "unpack-*"))
	if err != nil {
		return err
	}
	for _, leftover := range leftovers {
		if err := os.RemoveAll(leftover); err != nil {
			return err
		}
	}
	temp, err := os.MkdirTemp(base, "unpack-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()

	unpacked := filepath.Join(temp, "postgres")
	if err := unpack(temp, unpacked, repository, port); err != nil {
		return err
	}
	if err := openToAll(unpacked); err != nil {
		return err
	}
	return os.Rename(unpacked, target)
}

// unpack uses embedded-postgres for downloading only. Its data folder is below
// a regular file, so that it gives up as soon as the programs are unpacked: it
// would run initdb as the current user, which fails for root, and a server of
// its own, which survives its parent.
func unpack(temp, target, repository string, port uint32) error {
	blocked := filepath.Join(temp, "blocked")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		return err
	}
	config := embeddedpostgres.DefaultConfig().
		Version(downloadVersion).
		CachePath(filepath.Join(temp, "archive")).
		RuntimePath(filepath.Join(temp, "runtime")).
		BinariesPath(target).
		DataPath(filepath.Join(blocked, "data")).
		Port(port).
		Logger(io.Discard)
	if repository != "" {
		config = config.BinaryRepositoryURL(strings.TrimRight(repository, "/"))
	}
	database := embeddedpostgres.NewDatabase(config)
	err := database.Start()
	switch {
	case err == nil:
		return database.Stop()
	case strings.HasPrefix(err.Error(), "unable to clean up data directory"):
		return nil
	}
	return err
}

// openToAll lets every user read the programs and run them, whatever the umask
// was: for root another user does.
func openToAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o444
		if entry.IsDir() || mode&0o100 != 0 {
			mode |= 0o111
		}
		return os.Chmod(path, mode) //nolint:gosec // Nobody else writes to the folder yet.
	})
}
