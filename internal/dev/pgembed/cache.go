package pgembed

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// DefaultDir is the Options.Dir that `support dev` uses. For an ordinary user it is below the system's cache folder for that
// user. For root it is below the machine's cache folder, because the user that runs the server cannot enter root's home. It
// creates nothing, and fails only when the user has no home folder.
func DefaultDir() (string, error) {
	root, err := cacheRoot()
	return filepath.Join(root, "postgres"), err
}

// downloads is the folder of downloaded programs, or empty.
func downloads() string {
	root, err := cacheRoot()
	if err != nil {
		return ""
	}
	return filepath.Join(root, "binaries")
}

// cacheRoot is the folder for everything that this package keeps between runs.
func cacheRoot() (string, error) {
	const name = "support-backend"
	switch {
	case os.Geteuid() != 0:
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("pgembed: no cache folder: %w", err)
		}
		return filepath.Join(dir, name), nil
	case runtime.GOOS == "darwin":
		return filepath.Join("/Library/Caches", name), nil
	}
	return filepath.Join("/var/cache", name), nil
}
