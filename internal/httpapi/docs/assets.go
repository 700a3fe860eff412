package docs

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// packedFiles are built from npm packages by internal/tools/docsassets and are never edited.
//
//go:embed assets/*.gz
var packedFiles embed.FS

// ownFiles are written by hand. They are small, so they are kept readable and compressed on demand.
//
//go:embed static/site.css static/icon.svg static/swagger.js static/redoc.js static/home.js
var ownFiles embed.FS

// contentTypes is explicit because the mime package depends on the operating system.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
	".txt": "text/plain; charset=utf-8",
}

// addAssets registers every embedded file under a path with its hash, and returns the paths by file name, without the
// leading slash: pages add their root.
func (s *Site) addAssets() (map[string]string, error) {
	urls := make(map[string]string)
	err := fs.WalkDir(packedFiles, "assets", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		version, err := versionOf(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(path.Base(file), ".gz")
		urls[name] = s.addAsset(name, version, func() ([]byte, error) { return packedFiles.ReadFile(file) })
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("docs: embedded assets: %w", err)
	}

	err = fs.WalkDir(ownFiles, "static", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := ownFiles.ReadFile(file)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		urls[path.Base(file)] = s.addAsset(path.Base(file), sum[:versionSize], func() ([]byte, error) { return pack(content) })
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("docs: embedded files: %w", err)
	}
	return urls, nil
}

// versionSize is the number of bytes of a file's version.
const versionSize = 6

// versionOf returns the version of a packed file from its last bytes: the CRC-32 and the length of its content (RFC 1952).
// Reading nothing else keeps the server's start fast.
func versionOf(name string) ([]byte, error) {
	file, err := packedFiles.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // Embedded files need no closing.
	var trailer [8]byte
	if _, err := file.(io.Seeker).Seek(-int64(len(trailer)), io.SeekEnd); err != nil { //nolint:errcheck // embed.FS promises an io.Seeker.
		return nil, err
	}
	_, err = io.ReadFull(file, trailer[:])
	return trailer[:versionSize], err
}

// addAsset registers a file under a path with its version, which changes whenever the file does.
func (s *Site) addAsset(name string, version []byte, packed func() ([]byte, error)) string {
	ext := path.Ext(name)
	url := "docs/assets/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(version) + ext
	s.resources["/"+url] = &resource{
		contentType: contentTypes[ext], cacheControl: immutable, policy: sealedPolicy,
		content: sync.OnceValues(func() (*content, error) {
			file, err := packed()
			return newContent(file), err
		}),
	}
	return url
}
