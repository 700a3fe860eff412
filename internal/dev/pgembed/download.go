//go:build linux || darwin

package pgembed

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/xi2/xz"
)

const (
	// downloadVersion is the PostgreSQL that is fetched when there is none.
	downloadVersion = "17.5.0"
	// mavenCentral is where it comes from, unless PGEMBED_REPOSITORY_URL names
	// a mirror.
	mavenCentral = "https://repo1.maven.org/maven2"
	// maxArchive bounds an archive, in bytes. They have about 20 MB.
	maxArchive = 256 << 20
)

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
		if downloadCtx.Err() != nil {
			failure = context.Cause(downloadCtx)
		}
		return Binaries{}, fmt.Errorf("%w; downloading PostgreSQL %s: %w", err, downloadVersion, failure)
	}
	return e.finder.find(ctx)
}

// download puts the programs into the cache folder, where the finder sees them,
// all or nothing.
func (e environment) download(ctx context.Context, o Options) (err error) {
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
	defer func() { err = errors.Join(err, lock.release()) }()
	target := filepath.Join(base, downloadVersion)
	if _, err := os.Stat(target); err == nil {
		return nil // Another process fetched it while this one waited.
	}
	if err := removeAll(filepath.Join(base, "unpack-*")); err != nil {
		return err
	}
	o.tell("Downloading PostgreSQL %s to %s.", downloadVersion, base)
	archive, err := e.fetchArchive(ctx)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp(base, "unpack-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	unpacked := filepath.Join(temp, "postgres")
	if err := unpack(ctx, archive, unpacked); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return os.Rename(unpacked, target)
}

// removeAll removes what an interrupted download has left behind.
func removeAll(pattern string) error {
	leftovers, err := filepath.Glob(pattern)
	for _, leftover := range leftovers {
		err = errors.Join(err, os.RemoveAll(leftover))
	}
	return err
}

// fetchArchive returns the jar for this machine, whose checksum is right.
func (e environment) fetchArchive(ctx context.Context) ([]byte, error) {
	name := "embedded-postgres-binaries-" + platform()
	address := fmt.Sprintf("%s/io/zonky/test/postgres/%s/%s/%[2]s-%[3]s.jar",
		strings.TrimRight(e.repository, "/"), name, downloadVersion)
	archive, err := get(ctx, address)
	if err != nil {
		return nil, err
	}
	checksum, err := get(ctx, address+".sha256")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(archive)
	// Some tools write the file's name after the sum.
	if fields := strings.Fields(string(checksum)); len(fields) == 0 || !strings.EqualFold(fields[0], hex.EncodeToString(sum[:])) {
		return nil, fmt.Errorf("%s does not have the checksum that its repository gives", address)
	}
	return archive, nil
}

// platform is how the repository calls this operating system and processor.
func platform() string {
	name := runtime.GOOS + "-" + runtime.GOARCH
	switch runtime.GOARCH {
	case "arm64":
		name += "v8"
	case "arm":
		name += "32v7"
	}
	if _, err := os.Stat("/etc/alpine-release"); err == nil {
		name += "-alpine"
	}
	return name
}

func get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxArchive+1))
	if err == nil && len(body) > maxArchive {
		err = fmt.Errorf("%s: more than %d bytes", address, maxArchive)
	}
	return body, err
}

// unpack writes the files of the jar's one .txz, a tar compressed with xz, to a
// new folder, and nothing outside it.
func unpack(ctx context.Context, jar []byte, dir string) error {
	packed, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		return err
	}
	names, err := fs.Glob(packed, "*.txz")
	if err != nil || len(names) == 0 {
		return errors.Join(errors.New("the archive holds no .txz"), err)
	}
	compressed, err := packed.Open(names[0])
	if err != nil {
		return err
	}
	defer func() { _ = compressed.Close() }()
	decompressed, err := xz.NewReader(compressed, 0)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	files := tar.NewReader(decompressed)
	for ctx.Err() == nil {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return openToAll(dir)
		}
		if err == nil {
			err = unpackFile(root, header, files)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// unpackFile writes one file, symbolic link or folder of the tar.
func unpackFile(root *os.Root, header *tar.Header, content io.Reader) error {
	name := filepath.FromSlash(path.Clean(header.Name))
	if header.Typeflag == tar.TypeDir {
		return root.MkdirAll(name, 0o700)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeSymlink:
		return root.Symlink(header.Linkname, name)
	case tar.TypeReg:
		file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, header.FileInfo().Mode().Perm()|0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		return errors.Join(err, file.Close())
	}
	return fmt.Errorf("%s is neither a file nor a link nor a folder", header.Name)
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
