// Package npmtest tests the TypeScript SDK as its users have it: packed, installed in a project of its own, and run by Node
// or by a browser.
package npmtest

import (
	"context"
	"embed"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// timeout is how long one program may take.
const timeout = 2 * time.Minute

//go:embed scripts
var scripts embed.FS

// Project is a folder in which the packed SDK is installed, beside its examples and the scripts of this package.
type Project struct{ dir string }

// Install packs the SDK at source and installs it. Without npm the test is skipped, but not in CI.
func Install(t testing.TB, source string) Project {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil && os.Getenv("CI") == "" {
		t.Skip("needs Node and npm")
	}
	// What the test itself reads, and not npm alone, makes go test run it again after a change.
	unpacked := filepath.Join(t.TempDir(), "source")
	require.NoError(t, os.CopyFS(unpacked, os.DirFS(source)))
	p := Project{dir: filepath.Join(t.TempDir(), "project")}
	files, err := fs.Sub(scripts, "scripts")
	require.NoError(t, err)
	require.NoError(t, os.CopyFS(p.dir, files))
	require.NoError(t, os.Rename(filepath.Join(unpacked, "examples.js"), filepath.Join(p.dir, "examples.js")))

	command(t, unpacked, "npm", "pack", "--silent", "--pack-destination", p.dir)
	archives, err := filepath.Glob(filepath.Join(p.dir, "*.tgz"))
	require.NoError(t, err)
	require.Len(t, archives, 1)
	// It has no dependencies, so there is nothing to download.
	command(t, p.dir, "npm", "install", "--silent", "--offline", "--no-audit", "--no-fund", archives[0])
	return p
}

// Node runs a script of the project and returns what it prints. The environment has the given entries besides.
func (p Project) Node(t testing.TB, env []string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return runIn(ctx, t, p.dir, env, "node", arguments...)
}

func command(t testing.TB, dir, name string, arguments ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	runIn(ctx, t, dir, nil, name, arguments...)
}

func runIn(ctx context.Context, t testing.TB, dir string, env []string, name string, arguments ...string) string {
	t.Helper()
	var output, errors strings.Builder
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), &output, &errors
	require.NoError(t, cmd.Run(), "%s %s: %s%s", name, arguments, &output, &errors)
	return output.String()
}
