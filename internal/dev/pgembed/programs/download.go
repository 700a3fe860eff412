package programs

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
	// DownloadVersion is the PostgreSQL that Download fetches.
	DownloadVersion = "17.5.0"
	// MavenCentral is the repository that publishes it. Others can mirror it.
	MavenCentral = "https://repo1.maven.org/maven2"
	// maxArchive bounds an archive, in bytes. One has about 20 MB.
	maxArchive = 256 << 20
)

// Download fetches the programs for this machine from a Maven repository, checks their checksum, and unpacks them to a new folder, which it removes
// after an error. Every user may read the folder and run the programs, because for root another user does.
func Download(ctx context.Context, repository, dir string) error {
	archive, err := fetch(ctx, repository)
	if err != nil {
		return err
	}
	// An interrupted download may have left it behind.
	temp := dir + ".unpack"
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	if err := unpack(ctx, archive, temp); err != nil {
		return errors.Join(fmt.Errorf("unpack: %w", err), os.RemoveAll(temp))
	}
	return os.Rename(temp, dir)
}

// fetch returns the archive for this machine, and checks its checksum.
func fetch(ctx context.Context, repository string) ([]byte, error) {
	name := "embedded-postgres-binaries-" + platform()
	address := fmt.Sprintf("%s/io/zonky/test/postgres/%s/%s/%[2]s-%[3]s.jar", strings.TrimRight(repository, "/"), name, DownloadVersion)
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
		return nil, fmt.Errorf("the checksum of %s differs from the one in its repository", address)
	}
	return archive, nil
}

// platform returns the repository's name of this operating system and processor.
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
	return io.ReadAll(http.MaxBytesReader(nil, response.Body, maxArchive))
}

// unpack writes the files of the archive's one .txz, a tar compressed with xz, to a new folder, and nothing outside it.
func unpack(ctx context.Context, archive []byte, dir string) error {
	packed, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
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
			return openFolders(dir)
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
		file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		mode := os.FileMode(0o644)
		if header.Mode&0o100 != 0 {
			mode = 0o755
		}
		return errors.Join(err, file.Chmod(mode), file.Close())
	}
	return fmt.Errorf("%s is neither a file nor a link nor a folder", header.Name)
}

// openFolders lets every user enter the folders, whatever the umask was.
func openFolders(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o755) //nolint:gosec // Nobody else writes to the folder yet.
		}
		return err
	})
}
