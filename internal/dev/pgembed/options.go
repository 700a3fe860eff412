// Package pgembed runs a private PostgreSQL server as a child process, for `support dev` and for tests, without Docker and
// without a running service.
//
// The server listens on 127.0.0.1 only, on the port of the last run or a free one unless one is chosen, has no Unix socket,
// and asks for a random password. On Linux it shuts down when its parent ends, however that ends; on macOS a parent that is
// killed leaves it running, and the next Start on the same folder says so.
//
// PostgreSQL refuses to run as root. Started by root, the server runs as the user postgres, or nobody when there is no such
// user, and its folders have to be on a path that this user may enter.
package pgembed

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/supportbackend/support/internal/dev/pgembed/programs"
)

var (
	// ErrInUse means that a running process uses the data folder. The error that wraps it names the folder and the process.
	ErrInUse = errors.New("already in use")

	// ErrNoBinaries means that no usable PostgreSQL programs were found, and none could be downloaded.
	ErrNoBinaries = programs.ErrNone

	// ErrUnsupported means that this operating system is neither Linux nor macOS.
	ErrUnsupported = errors.New("a private PostgreSQL server is not supported on this operating system: " +
		"set DATABASE_URL to the address of a running server")
)

// Options say where a server keeps its data and how it runs. The zero value is a safe, throw-away server.
type Options struct {
	// Dir keeps the data between runs, in a subfolder for each major version of PostgreSQL, so that data of another major
	// is neither used nor removed. Empty means a throw-away folder that Stop removes. As root, Dir has to belong to root
	// and be open to the unprivileged user that runs the server; t.TempDir() is not.
	Dir string

	// Template is the Dir of a server that Stop has ended, whose data is copied instead of making new data. It counts when the
	// data folder is created, and only if it holds data of the same major version.
	Template string

	// Temp is where a throw-away folder is made. Empty means the system's temporary folder.
	Temp string

	// Port is where the server listens; 0 takes the port of the last run on the same Dir while it is free, and otherwise
	// another one.
	Port int

	// Unsafe turns off fsync, synchronous_commit and full_page_writes. A power cut then destroys the data: for tests and
	// throw-away servers only.
	Unsafe bool

	// Trust admits everybody on this machine without a password. Checking one is slow for tests that connect thousands
	// of times. It applies when the data folder is created.
	Trust bool

	// Settings are further settings by name, such as max_connections. Start reads the server's messages of level LOG, so
	// they must not be turned off.
	Settings map[string]string

	// Progress, if not nil, is called with a sentence before each slow step, from the goroutine that called Start.
	Progress func(string)
}

// arguments are the command line options for Unsafe and Settings, in a stable order.
func (o Options) arguments() (args []string) {
	if o.Unsafe {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Settings)) {
		args = append(args, "-c", name+"="+o.Settings[name])
	}
	return args
}

// tell passes a sentence to Progress, if it is set.
func (o Options) tell(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}
