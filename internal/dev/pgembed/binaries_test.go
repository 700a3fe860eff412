//go:build linux || darwin

package pgembed

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeMachine is a finder on a file system of its own. The version of a fake
// program is what its file holds.
func fakeMachine(t *testing.T, variables map[string]string) finder {
	t.Helper()
	root := t.TempDir()
	return finder{
		root:   root,
		cache:  filepath.Join(root, "cache"),
		getenv: func(name string) string { return variables[name] },
		version: func(_ context.Context, program string) (string, error) {
			text, err := os.ReadFile(program)
			return "postgres (PostgreSQL) " + string(text), err
		},
	}
}

// install puts fake programs into a folder below the finder's root.
func (f finder) install(t *testing.T, dir, version string) string {
	t.Helper()
	dir = filepath.Join(f.root, dir)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"initdb", "postgres"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(version), 0o755))
	}
	return dir
}

func TestNoBinariesNamesTheFixes(t *testing.T) {
	t.Parallel()
	_, err := fakeMachine(t, nil).find(t.Context())
	require.ErrorIs(t, err, ErrNoBinaries)
	for _, fix := range []string{"package manager", "DATABASE_URL", "PGBIN"} {
		require.ErrorContains(t, err, fix)
	}
}

func TestBinariesSearchOrder(t *testing.T) {
	t.Parallel()
	variables := map[string]string{}
	f := fakeMachine(t, variables)
	requireFound := func(dir, version string) {
		t.Helper()
		found, err := f.find(t.Context())
		require.NoError(t, err)
		require.Equal(t, dir, found.Dir)
		require.Equal(t, version, found.Version)
	}
	// From the last place to the first: each one beats those before it.
	requireFound(f.install(t, "cache/binaries/17.5.0/bin", "17.5"), "17.5")
	requireFound(f.install(t, "Applications/Postgres.app/Contents/Versions/19/bin", "19.1"), "19.1")
	requireFound(f.install(t, "usr/local/opt/postgresql@16/bin", "16.1"), "16.1")
	requireFound(f.install(t, "opt/homebrew/opt/postgresql@18/bin", "18.1"), "18.1")
	requireFound(f.install(t, "usr/pgsql-17/bin", "17.1"), "17.1")
	requireFound(f.install(t, "usr/lib/postgresql/15/bin", "15.1"), "15.1")
	requireFound(f.install(t, "usr/lib/postgresql/16/bin", "16.9 (Debian 16.9-1)"), "16.9")
	f.install(t, "usr/lib/postgresql/14/bin", "14.20")
	requireFound(filepath.Join(f.root, "usr/lib/postgresql/16/bin"), "16.9")

	onPath := f.install(t, "tools/bin", "16.2")
	variables["PATH"] = "relative" + string(filepath.ListSeparator) + onPath
	requireFound(onPath, "16.2")

	chosen := f.install(t, "chosen", "18beta1")
	variables["PGBIN"] = chosen
	requireFound(chosen, "18beta1")
	found, err := f.find(t.Context())
	require.NoError(t, err)
	require.Equal(t, 18, found.Major)
}

func TestBinariesBehindALink(t *testing.T) {
	t.Parallel()
	variables := map[string]string{}
	f := fakeMachine(t, variables)
	// Only initdb is linked, so postgres is found beside the real one.
	target := f.install(t, "opt/pg/bin", "15.1")
	links := filepath.Join(f.root, "links")
	require.NoError(t, os.Mkdir(links, 0o755))
	require.NoError(t, os.Symlink(filepath.Join(target, "initdb"), filepath.Join(links, "initdb")))
	variables["PATH"] = links
	found, err := f.find(t.Context())
	require.NoError(t, err)
	resolved, err := filepath.EvalSymlinks(target)
	require.NoError(t, err)
	require.Equal(t, resolved, found.Dir)
}

func TestUnusableBinaries(t *testing.T) {
	t.Parallel()
	variables := map[string]string{}
	f := fakeMachine(t, variables)
	f.install(t, "usr/lib/postgresql/9.6/bin", "9.6.24")
	_, err := f.find(t.Context())
	require.ErrorIs(t, err, ErrNoBinaries)
	require.ErrorContains(t, err, "PostgreSQL 9.6.24 is older than 15")

	f.install(t, "usr/lib/postgresql/15/bin", "15.1")
	variables["PGBIN"] = filepath.Join(f.root, "nowhere")
	_, err = f.find(t.Context())
	require.ErrorContains(t, err, "PGBIN", "a wrong PGBIN is not passed over")
	require.NotErrorIs(t, err, ErrNoBinaries)
}

func TestBinariesOfThisMachine(t *testing.T) {
	t.Parallel()
	found, err := FindBinaries(t.Context())
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(found.Dir))
	require.GreaterOrEqual(t, found.Major, oldestMajor)
	require.Regexp(t, `^\d+[\w.]*$`, found.Version)
}

func TestCacheRoot(t *testing.T) {
	t.Parallel()
	tests := []struct {
		uid       int
		system    string
		variables map[string]string
		want      string
	}{
		{0, "linux", map[string]string{"HOME": "/root", "XDG_CACHE_HOME": "/root/c"}, "/var/cache/support-backend"},
		{0, "darwin", nil, "/Library/Caches/support-backend"},
		{7, "linux", map[string]string{"HOME": "/home/a"}, "/home/a/.cache/support-backend"},
		{7, "linux", map[string]string{"HOME": "/home/a", "XDG_CACHE_HOME": "/c"}, "/c/support-backend"},
		{7, "linux", map[string]string{"HOME": "/home/a", "XDG_CACHE_HOME": "c"}, "/home/a/.cache/support-backend"},
		{7, "darwin", map[string]string{"HOME": "/Users/a"}, "/Users/a/Library/Caches/support-backend"},
		{7, "darwin", map[string]string{"HOME": "/Users/a", "XDG_CACHE_HOME": "/c"}, "/c/support-backend"},
		{7, "linux", nil, ""},
	}
	for _, test := range tests {
		got, err := cacheRoot(test.uid, test.system, func(name string) string { return test.variables[name] })
		require.Equal(t, test.want == "", err != nil)
		require.Equal(t, test.want, got)
	}
	dir, err := DefaultDir()
	require.NoError(t, err)
	require.Equal(t, "postgres", filepath.Base(dir))
}
