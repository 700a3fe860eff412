// Package programs finds the PostgreSQL programs of this machine, and downloads some where there are none.
package programs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// ErrNone means that no usable programs were found. The error that wraps it lists what was rejected and why.
var ErrNone = errors.New("no PostgreSQL programs found: " +
	"install PostgreSQL with the package manager (for example apt install postgresql, or brew install postgresql), " +
	"or set DATABASE_URL to the address of a running server, " +
	"or set PGBIN to the folder that holds initdb and postgres")

// oldestMajor is the oldest version that the product's schema supports. Older programs on the machine are ignored.
const oldestMajor = 15

// Programs are those of one PostgreSQL installation.
type Programs struct {
	// Dir holds initdb and postgres. It is absolute.
	Dir string
	// Version is the full version, such as "16.9", and Major the part that decides the format of the data.
	Version string
	Major   int
}

// Path is the path of one of the programs.
func (p Programs) Path(name string) string { return filepath.Join(p.Dir, name) }

// Finder looks for PostgreSQL programs on this machine. Tests give it a file system of their own.
type Finder struct {
	// Root is prepended to the usual folders.
	Root string
	// Downloads is the folder of downloaded versions, or empty.
	Downloads string
	// Getenv is os.Getenv.
	Getenv func(string) string
	// Version returns what the program postgres says about its version.
	Version func(ctx context.Context, program string) ([]byte, error)
}

// Find looks in $PGBIN, beside the initdb on PATH, in the usual folders of Linux distributions, Homebrew and Postgres.app,
// and among what was downloaded earlier. The first place with programs that are new enough wins, and within one place the
// newest version. It returns an error for a PGBIN without usable programs, and ErrNone when no place has any.
func (f Finder) Find(ctx context.Context) (Programs, error) {
	if dir := f.Getenv("PGBIN"); dir != "" {
		found, err := f.inspect(ctx, dir)
		if err != nil {
			return Programs{}, fmt.Errorf("PGBIN: %w", err)
		}
		return found, nil
	}
	var rejected error
	for _, dir := range f.candidates() {
		found, err := f.inspect(ctx, dir)
		switch {
		case err == nil:
			return found, nil
		case ctx.Err() != nil:
			return Programs{}, context.Cause(ctx)
		case !errors.Is(err, errIncomplete):
			rejected = errors.Join(rejected, err)
		}
	}
	if rejected != nil {
		return Programs{}, fmt.Errorf("%w (rejected: %w)", ErrNone, rejected)
	}
	return Programs{}, ErrNone
}

// candidates lists the folders to inspect, best first.
func (f Finder) candidates() []string {
	dirs := f.onPath()
	for _, patterns := range [][]string{
		{f.Root + "/usr/lib/postgresql/*/bin"},
		{f.Root + "/usr/pgsql-*/bin"},
		{
			f.Root + "/opt/homebrew/opt/postgresql*/bin", f.Root + "/usr/local/opt/postgresql*/bin",
			f.Root + "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		},
		{f.Root + "/Applications/Postgres.app/Contents/Versions/*/bin"},
		{filepath.Join(f.Downloads, "*", "bin")},
	} {
		var found []string
		for _, pattern := range patterns {
			// Glob fails only on a malformed pattern.
			matches, _ := filepath.Glob(pattern)
			found = append(found, matches...)
		}
		slices.SortStableFunc(found, func(a, b string) int { return slices.Compare(pathVersion(b), pathVersion(a)) })
		dirs = append(dirs, found...)
	}
	return dirs
}

// onPath lists the folders that an initdb on PATH points to. A symbolic link is followed, because the server program is
// beside the real one; the folder of the link itself comes second, for version managers whose links all lead to one launcher
// that goes by the name it was called with.
func (f Finder) onPath() (dirs []string) {
	for _, dir := range filepath.SplitList(f.Getenv("PATH")) {
		// A relative entry would depend on the current folder.
		if !filepath.IsAbs(dir) || !isProgram(filepath.Join(dir, "initdb")) {
			continue
		}
		if target, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb")); err == nil {
			dirs = append(dirs, filepath.Dir(target))
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

var (
	errIncomplete  = errors.New("does not hold both initdb and postgres")
	versionPattern = regexp.MustCompile(`\(PostgreSQL\) ((\d+)[\w.]*)`)
	numberPattern  = regexp.MustCompile(`\d+`)
)

// inspect says which PostgreSQL a folder holds.
func (f Finder) inspect(ctx context.Context, dir string) (Programs, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Programs{}, err
	}
	if !isProgram(filepath.Join(dir, "initdb")) || !isProgram(filepath.Join(dir, "postgres")) {
		return Programs{}, fmt.Errorf("%s %w", dir, errIncomplete)
	}
	text, err := f.Version(ctx, filepath.Join(dir, "postgres"))
	if err != nil {
		return Programs{}, fmt.Errorf("%s: ask for its version: %w", dir, err)
	}
	parts := versionPattern.FindSubmatch(text)
	if parts == nil {
		return Programs{}, fmt.Errorf("%s: unknown version %q", dir, text)
	}
	found := Programs{Dir: dir, Version: string(parts[1])}
	if found.Major, err = strconv.Atoi(string(parts[2])); err == nil && found.Major < oldestMajor {
		err = fmt.Errorf("PostgreSQL %s is older than %d", found.Version, oldestMajor)
	}
	if err != nil {
		return Programs{}, fmt.Errorf("%s: %w", dir, err)
	}
	return found, nil
}

// AskVersion runs a program to learn its version.
func AskVersion(ctx context.Context, program string) ([]byte, error) {
	return exec.CommandContext(ctx, program, "--version").Output()
}

// pathVersion is the version in the name of the parent of a folder like /usr/lib/postgresql/9.6/bin, as numbers.
func pathVersion(dir string) (version []int) {
	for _, number := range numberPattern.FindAllString(filepath.Base(filepath.Dir(dir)), 2) {
		n, _ := strconv.Atoi(number) // It has digits only.
		version = append(version, n)
	}
	return version
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
