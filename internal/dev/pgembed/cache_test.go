//go:build linux || darwin

package pgembed

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCacheRoot(t *testing.T) {
	t.Setenv("HOME", "/home/a")
	t.Setenv("XDG_CACHE_HOME", "/c")
	root, err := cacheRoot()
	require.NoError(t, err)
	switch {
	case runtime.GOOS == "darwin":
		require.Contains(t, root, "/Library/Caches/support-backend")
	case os.Geteuid() == 0:
		require.Equal(t, "/var/cache/support-backend", root, "another user runs the server for root, and may not enter root's home")
	default:
		require.Equal(t, "/c/support-backend", root)
	}
	dir, err := DefaultDir()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "postgres"), dir)
}
