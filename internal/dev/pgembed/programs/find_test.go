package programs

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeMachine returns a finder on its own file system. The file of a fake program contains its version.
func fakeMachine(t *testing.T, variables map[string]string) Finder {
	t.Helper()
	root := t.TempDir()
	return Finder{
		Root:      root,
		Downloads: filepath.Join(root, "downloads"),
		Getenv:    func(name string) string { return variables[name] },
		Version: func(_ context.Context, program string) ([]byte, error) {
			text, err := os.ReadFile(program)
			return append([]byte("postgres (PostgreSQL) "), text...), err
		},
	}
}

// install puts fake programs into a directory below the finder's root.
func (f Finder) install(t *testing.T, dir, version string) string {
	t.Helper()
	dir = filepath.Join(f.Root, dir)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"initdb", "postgres"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(version), 0o755))
	}
	return dir
}

func TestNoProgramsNamesTheFixes(t *testing.T) {
	t.Parallel()
	_, err := fakeMachine(t, nil).Find(t.Context())
	require.ErrorIs(t, err, ErrNone)
	for _, fix := range []string{"package manager", "DATABASE_URL", "PGBIN"} {
		require.ErrorContains(t, err, fix)
	}
}

func TestProgramsSearchOrder(t *testing.T) {
	t.Parallel()
	variables := map[string]string{}
	f := fakeMachine(t, variables)
	requireFound := func(dir, version string) {
		t.Helper()
		found, err := f.Find(t.Context())
		require.NoError(t, err)
		require.Equal(t, dir, found.Dir)
		require.Equal(t, version, found.Version)
	}
	// From the last place to the first: each one takes precedence over those before it.
	requireFound(f.install(t, "downloads/17.5.0/bin", "17.5"), "17.5")
	requireFound(f.install(t, "Applications/Postgres.app/Contents/Versions/19/bin", "19.1"), "19.1")
	requireFound(f.install(t, "usr/local/opt/postgresql@16/bin", "16.1"), "16.1")
	requireFound(f.install(t, "opt/homebrew/opt/postgresql@18/bin", "18.1"), "18.1")
	requireFound(f.install(t, "usr/pgsql-17/bin", "17.1"), "17.1")
	requireFound(f.install(t, "usr/lib/postgresql/15/bin", "15.1"), "15.1")
	requireFound(f.install(t, "usr/lib/postgresql/16/bin", "16.9 (Debian 16.9-1)"), "16.9")
	f.install(t, "usr/lib/postgresql/14/bin", "14.20")
	requireFound(filepath.Join(f.Root, "usr/lib/postgresql/16/bin"), "16.9")

	onPath := f.install(t, "tools/bin", "16.2")
	variables["PATH"] = "relative" + string(filepath.ListSeparator) + onPath
	requireFound(onPath, "16.2")

	chosen := f.install(t, "chosen", "18beta1")
	variables["PGBIN"] = chosen
	requireFound(chosen, "18beta1")
	found, err := f.Find(t.Context())
	require.NoError(t, err)
	require.Equal(t, 18, found.Major)
}

func TestProgramsBehindALink(t *testing.T) {
	t.Parallel()
	variables := map[string]string{}
	f := fakeMachine(t, variables)
	// Only initdb is linked, so postgres must be found beside the real initdb.
	target := f.install(t, "opt/pg/bin", "15.1")
	links := filepath.Join(f.Root, "links")
	require.NoError(t, os.Mkdir(links, 0o755))
	require.NoError(t, os.Symlink(filepath.Join(target, "initdb"), filepath.Join(links, "initdb")))
	variables["PATH"] = links
	found, err := f.Find(t.Context())
	require.NoError(t, err)
	resolved, err := filepath.EvalSymlinks(target)
	require.NoError(t, err)
	require.Equal(t, resolved, found.Dir)
}

func TestUnusablePrograms(t *testing.T) {
	t.Parallel()
	variables := map[string]string{}
	f := fakeMachine(t, variables)
	f.install(t, "usr/lib/postgresql/9.6/bin", "9.6.24")
	_, err := f.Find(t.Context())
	require.ErrorIs(t, err, ErrNone)
	require.ErrorContains(t, err, "PostgreSQL 9.6.24 is older than 15")

	f.install(t, "usr/lib/postgresql/15/bin", "15.1")
	variables["PGBIN"] = filepath.Join(f.Root, "nowhere")
	_, err = f.Find(t.Context())
	require.ErrorContains(t, err, "PGBIN", "a wrong PGBIN is an error")
	require.NotErrorIs(t, err, ErrNone)
}

func TestProgramsOfThisMachine(t *testing.T) {
	t.Parallel()
	found, err := Finder{Getenv: os.Getenv, Version: AskVersion}.Find(t.Context())
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(found.Dir))
	require.GreaterOrEqual(t, found.Major, oldestMajor)
	require.Regexp(t, `^\d+[\w.]*$`, found.Version)
}
