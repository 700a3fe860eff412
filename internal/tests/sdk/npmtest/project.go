// Package npmtest tests the TypeScript SDK as users have it: packed, installed in a project, and run by Node or by a
// browser.
package npmtest

import (
	"context"
	"embed"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// timeout is the time limit of one program.
const timeout = 5 * time.Minute

//go:embed scripts
var scripts embed.FS

// Project is a folder in which the packed SDK is installed, beside its examples and the scripts of this package.
type Project struct{ dir string }

// Install packs the SDK at source, which compiles it, and installs it.
func Install(t testing.TB, source string) Project {
	t.Helper()
	unpacked := copySource(t, source)
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

// RunUnitTests runs the TypeScript tests of a folder with the modules of the SDK at source.
func RunUnitTests(t testing.TB, source, tests string) {
	t.Helper()
	dir := copySource(t, source)
	require.NoError(t, os.CopyFS(filepath.Join(dir, "test"), os.DirFS(tests)))
	// Generating the SDK has checked the types.
	command(t, dir, filepath.Join(nodeTools(t), ".bin", "tsc"), "--project", "test", "--noEmit", "false", "--noCheck",
		"--typeRoots", filepath.Join(nodeTools(t), "@types"))
	compiled, err := filepath.Glob(filepath.Join(dir, "out", "test", "*.test.js"))
	require.NoError(t, err)
	require.NotEmpty(t, compiled)
	command(t, dir, "node", append([]string{"--test"}, compiled...)...)
}

// copySource copies the SDK, so that packing leaves nothing behind. Except in CI, it skips the test without npm and the
// Node tools. Reading the files in this process, and not only in npm, lets go test notice changes of them.
func copySource(t testing.TB, source string) string {
	t.Helper()
	_, noCompiler := os.Stat(filepath.Join(nodeTools(t), ".bin", "tsc"))
	if _, noNPM := exec.LookPath("npm"); (noNPM != nil || noCompiler != nil) && os.Getenv("CI") == "" {
		t.Skip("needs Node and npm, and the Node tools: npm ci --prefix internal/tools")
	}
	dir := filepath.Join(t.TempDir(), "source")
	require.NoError(t, os.CopyFS(dir, os.DirFS(source)))
	return dir
}

// nodeTools returns the directory of the pinned Node tools. The tests run in a folder of internal/tests.
func nodeTools(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../../tools/node_modules")
	require.NoError(t, err)
	return dir
}

// Compile compiles TypeScript modules of the project with the strictest options, and checks the declarations of the
// SDK.
func (p Project) Compile(t testing.TB, files ...string) {
	t.Helper()
	command(t, p.dir, filepath.Join(nodeTools(t), ".bin", "tsc"), append([]string{
		"--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--module", "nodenext", "--target", "es2022",
		"--typeRoots", filepath.Join(nodeTools(t), "@types"), "--types", "node",
	}, files...)...)
}

// Copy copies a file of the project.
func (p Project) Copy(t testing.TB, from, to string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, from))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, to), content, 0o600))
}

// Write adds a file to the project.
func (p Project) Write(t testing.TB, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600))
}

// Node runs a script of the project with additional environment entries, and returns what it prints.
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
	path := "PATH=" + filepath.Join(nodeTools(t), ".bin") + string(os.PathListSeparator) + os.Getenv("PATH")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, slices.Concat(os.Environ(), []string{path}, env), &output, &errors
	require.NoError(t, cmd.Run(), "%s %s: %s%s", name, arguments, &output, &errors)
	return output.String()
}
