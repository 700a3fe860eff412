package pgembed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// oldestMajor is the oldest version that the product's schema works with. An
// older one on the machine is passed over.
const oldestMajor = 15

// Binaries are the programs of one PostgreSQL installation.
type Binaries struct {
	// Dir holds initdb and postgres. It is absolute.
	Dir string
	// Version is the full version, such as "16.9".
	Version string
	// Major is the part of the version that decides the format of the data.
	Major int
}

func (b Binaries) program(name string) string { return filepath.Join(b.Dir, name) }

// FindBinaries looks for PostgreSQL programs on this machine: in $PGBIN, beside
// the initdb on PATH, in the usual folders of Linux distributions, Homebrew
// and Postgres.app, and among those downloaded earlier. The first place with
// programs of PostgreSQL 10 or later wins, and within one place the newest
// version. A PGBIN that holds no usable programs is an error and is not passed
// over. Nothing usable at all gives ErrNoBinaries.
func FindBinaries(ctx context.Context) (Binaries, error) {
	return newFinder().find(ctx)
}

// finder searches for programs. Tests give it a file system of their own.
type finder struct {
	root    string // stands before the usual folders
	cache   string // cacheRoot, or empty
	getenv  func(string) string
	version func(ctx context.Context, program string) (string, error)
}

func newFinder() finder {
	// Without a cache folder there is only one place less to look.
	cache, _ := cacheRoot(os.Geteuid(), runtime.GOOS, os.Getenv)
	return finder{cache: cache, getenv: os.Getenv, version: programVersion}
}

func (f finder) find(ctx context.Context) (Binaries, error) {
	if dir := f.getenv("PGBIN"); dir != "" {
		found, err := f.inspect(ctx, dir)
		if err != nil {
			return Binaries{}, fmt.Errorf("pgembed: PGBIN: %w", err)
		}
		return found, nil
	}
	var rejected []error
	for _, dir := range f.candidates() {
		found, err := f.inspect(ctx, dir)
		switch {
		case err == nil:
			return found, nil
		case ctx.Err() != nil:
			return Binaries{}, context.Cause(ctx)
		case !errors.Is(err, errIncomplete):
			rejected = append(rejected, err)
		}
	}
	if len(rejected) > 0 {
		return Binaries{}, fmt.Errorf("pgembed: %w (rejected: %w)", ErrNoBinaries, errors.Join(rejected...))
	}
	return Binaries{}, fmt.Errorf("pgembed: %w", ErrNoBinaries)
}

// candidates lists the folders to inspect, best first.
func (f finder) candidates() []string {
	dirs := f.onPath()
	places := [][]string{
		{"/usr/lib/postgresql/*/bin"},
		{"/usr/pgsql-*/bin"},
		{
			"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
			"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		},
		{"/Applications/Postgres.app/Contents/Versions/*/bin"},
	}
	for _, patterns := range places {
		var found []string
		for _, pattern := range patterns {
			// Glob fails only on a malformed pattern.
			matches, _ := filepath.Glob(filepath.Join(f.root, pattern))
			found = append(found, matches...)
		}
		dirs = append(dirs, newestFirst(found)...)
	}
	if f.cache != "" {
		matches, _ := filepath.Glob(filepath.Join(f.cache, "binaries", "*", "bin"))
		dirs = append(dirs, newestFirst(matches)...)
	}
	return dirs
}

// onPath lists the folders that an initdb on PATH points to. A symbolic link
// is followed, because the server program is beside the real one; the folder
// of the link itself comes second, for version managers whose links all lead
// to one launcher that goes by the name it was called with.
func (f finder) onPath() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(f.getenv("PATH")) {
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

var errIncomplete = errors.New("does not hold both initdb and postgres")

// inspect says which PostgreSQL a folder holds.
func (f finder) inspect(ctx context.Context, dir string) (Binaries, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Binaries{}, err
	}
	if !isProgram(filepath.Join(dir, "initdb")) || !isProgram(filepath.Join(dir, "postgres")) {
		return Binaries{}, fmt.Errorf("%s %w", dir, errIncomplete)
	}
	text, err := f.version(ctx, filepath.Join(dir, "postgres"))
	if err != nil {
		return Binaries{}, fmt.Errorf("%s: %w", dir, err)
	}
	parts := versionPattern.FindStringSubmatch(text)
	if parts == nil {
		return Binaries{}, fmt.Errorf("%s: unknown version %q", dir, text)
	}
	major, err := strconv.Atoi(parts[2])
	if err != nil {
		return Binaries{}, fmt.Errorf("%s: unknown version %q", dir, text)
	}
	if major < oldestMajor {
		return Binaries{}, fmt.Errorf("%s: PostgreSQL %s is older than %d", dir, parts[1], oldestMajor)
	}
	return Binaries{Dir: dir, Version: parts[1], Major: major}, nil
}

var (
	versionPattern = regexp.MustCompile(`\(PostgreSQL\) ((\d+)[\w.]*)`)
	numberPattern  = regexp.MustCompile(`(\d+)(?:\.(\d+))?`)
)

// programVersion asks a program for its version line.
func programVersion(ctx context.Context, program string) (string, error) {
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask for its version: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// newestFirst sorts folders like /usr/lib/postgresql/16/bin by the version in
// the name of their parent, as numbers: 16 before 9.6.
func newestFirst(dirs []string) []string {
	slices.SortStableFunc(dirs, func(a, b string) int {
		return slices.Compare(pathVersion(b), pathVersion(a))
	})
	return dirs
}

func pathVersion(dir string) []int {
	version := []int{0, 0}
	parts := numberPattern.FindStringSubmatch(filepath.Base(filepath.Dir(dir)))
	for i := range version {
		if i+1 < len(parts) {
			// The pattern allows digits only; an absent part stays zero.
			version[i], _ = strconv.Atoi(parts[i+1])
		}
	}
	return version
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
