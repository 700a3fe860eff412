package pgembed

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

const cacheName = "support-backend"

// DefaultDir is the Options.Dir that `support dev` uses. For an ordinary user
// it is below $XDG_CACHE_HOME or else the system's cache folder for that user.
// For root it is below the machine's cache folder, because the user that runs
// the server cannot enter root's home. It creates nothing, and fails only when
// the user has no home folder.
func DefaultDir() (string, error) {
	root, err := cacheRoot(os.Geteuid(), runtime.GOOS, os.Getenv)
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "postgres"), nil
}

// cacheRoot is the folder for everything this package keeps between runs.
func cacheRoot(uid int, system string, getenv func(string) string) (string, error) {
	switch {
	case uid == 0 && system == "darwin":
		return filepath.Join("/Library/Caches", cacheName), nil
	case uid == 0:
		return filepath.Join("/var/cache", cacheName), nil
	}
	if dir := getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, cacheName), nil
	}
	home := getenv("HOME")
	switch {
	case system == "windows" && getenv("LocalAppData") != "":
		return filepath.Join(getenv("LocalAppData"), cacheName), nil
	case !filepath.IsAbs(home):
		return "", errors.New("pgembed: no cache folder: neither XDG_CACHE_HOME nor HOME is an absolute path")
	case system == "darwin":
		return filepath.Join(home, "Library", "Caches", cacheName), nil
	}
	return filepath.Join(home, ".cache", cacheName), nil
}
