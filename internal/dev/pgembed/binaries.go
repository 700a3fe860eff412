package pgembed

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

// oldestMajor is the oldest version that the product's schema supports. Older programs on the machine are ignored.
const oldestMajor = 15

// binaries are the programs of one PostgreSQL installation.
type binaries struct {
	// dir holds initdb and postgres. It is absolute.
	dir string
	// version is the full version, such as "16.9", and major the part that decides the format of the data.
	version string
	major   int
}

func (b binaries) program(name string) string { return filepath.Join(b.dir, name) }

// finder looks for PostgreSQL programs on this machine. Tests give it a file system of their own.
type finder struct {
	root    string // stands before the usual folders
	cache   string // where downloads are kept, or empty
	getenv  func(string) string
	version func(ctx context.Context, program string) ([]byte, error)
}

func newFinder() finder {
	// Without a cache folder there is only one place less to look.
	cache, _ := cacheRoot()
	return finder{cache: cache, getenv: os.Getenv, version: programVersion}
}

// find looks in $PGBIN, beside the initdb on PATH, in the usual folders of Linux distributions, Homebrew and Postgres.app,
// and among what was downloaded earlier. The first place with programs that are new enough wins, and within one place the
// newest version. A PGBIN that holds no usable programs is an error and is not passed over. Nothing usable at all gives
// ErrNoBinaries.
func (f finder) find(ctx context.Context) (binaries, error) {
	if dir := f.getenv("PGBIN"); dir != "" {
		found, err := f.inspect(ctx, dir)
		if err != nil {
			return binaries{}, fmt.Errorf("pgembed: PGBIN: %w", err)
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
			return binaries{}, context.Cause(ctx)
		case !errors.Is(err, errIncomplete):
			rejected = errors.Join(rejected, err)
		}
	}
	if rejected != nil {
		return binaries{}, fmt.Errorf("pgembed: %w (rejected: %w)", ErrNoBinaries, rejected)
	}
	return binaries{}, fmt.Errorf("pgembed: %w", ErrNoBinaries)
}

// candidates lists the folders to inspect, best first.
func (f finder) candidates() []string {
	dirs := f.onPath()
	for _, patterns := range [][]string{
		{f.root + "/usr/lib/postgresql/*/bin"},
		{f.root + "/usr/pgsql-*/bin"},
		{
			f.root + "/opt/homebrew/opt/postgresql*/bin", f.root + "/usr/local/opt/postgresql*/bin",
			f.root + "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		},
		{f.root + "/Applications/Postgres.app/Contents/Versions/*/bin"},
		{filepath.Join(f.cache, downloads, "*", "bin")},
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
func (f finder) onPath() (dirs []string) {
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

var (
	errIncomplete  = errors.New("does not hold both initdb and postgres")
	versionPattern = regexp.MustCompile(`\(PostgreSQL\) ((\d+)[\w.]*)`)
	numberPattern  = regexp.MustCompile(`\d+`)
)

// inspect says which PostgreSQL a folder holds.
func (f finder) inspect(ctx context.Context, dir string) (binaries, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return binaries{}, err
	}
	if !isProgram(filepath.Join(dir, "initdb")) || !isProgram(filepath.Join(dir, "postgres")) {
		return binaries{}, fmt.Errorf("%s %w", dir, errIncomplete)
	}
	text, err := f.version(ctx, filepath.Join(dir, "postgres"))
	if err != nil {
		return binaries{}, fmt.Errorf("%s: ask for its version: %w", dir, err)
	}
	parts := versionPattern.FindSubmatch(text)
	if parts == nil {
		return binaries{}, fmt.Errorf("%s: unknown version %q", dir, text)
	}
	found := binaries{dir: dir, version: string(parts[1])}
	if found.major, err = strconv.Atoi(string(parts[2])); err == nil && found.major < oldestMajor {
		err = fmt.Errorf("PostgreSQL %s is older than %d", found.version, oldestMajor)
	}
	if err != nil {
		return binaries{}, fmt.Errorf("%s: %w", dir, err)
	}
	return found, nil
}

func programVersion(ctx context.Context, program string) ([]byte, error) {
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
