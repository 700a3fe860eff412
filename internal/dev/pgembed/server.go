//go:build linux || darwin

package pgembed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/supportbackend/support/internal/dev/pgembed/programs"
)

// limits bound every wait for another process.
type limits struct {
	start     time.Duration // Start, without a download
	fast      time.Duration // a clean shutdown
	immediate time.Duration // a shutdown without a checkpoint
	leftover  time.Duration // the end of a server whose parent was killed
	download  time.Duration
}

// environment is what Start finds outside its options. Tests replace parts.
type environment struct {
	finder     programs.Finder
	temp       string // where throw-away folders are made
	repository string // where downloads come from
	template   string // instead of none in the options
	freePort   func(context.Context) (int, error)
	limits     limits
}

func newEnvironment() environment {
	return environment{
		finder:     programs.Finder{Downloads: downloads(), Getenv: os.Getenv, Version: programs.AskVersion},
		temp:       os.TempDir(),
		repository: cmp.Or(os.Getenv("PGEMBED_REPOSITORY_URL"), programs.MavenCentral),
		freePort:   freePort,
		limits: limits{
			start:     time.Minute,
			fast:      10 * time.Second,
			immediate: 5 * time.Second,
			leftover:  5 * time.Second,
			download:  10 * time.Minute,
		},
	}
}

// Server is a running PostgreSQL server. Its methods may be called from several goroutines.
type Server struct {
	env      environment
	programs programs.Programs
	folder   folder
	scratch  bool // the folder is a throw-away one
	who      account
	password string

	lock    fileLock
	process *process
	port    int

	stop func() error
}

// Start starts a server and returns when it accepts connections. ctx bounds the start only, as does a limit of one minute to
// which a download adds up to ten; when either ends, nothing is left running.
//
// Without PostgreSQL programs on the machine, Start downloads some and keeps them in the cache folder, where later starts find
// them. PGEMBED_REPOSITORY_URL changes the address to that of a mirror with the layout of a Maven repository.
//
// It returns ErrInUse when another process uses the folder, ErrNoBinaries when there are no programs and none could be
// downloaded, ErrUnsupported on systems other than Linux and macOS, and otherwise what PostgreSQL said.
func Start(ctx context.Context, o Options) (*Server, error) {
	return newEnvironment().start(ctx, o)
}

func (e environment) start(ctx context.Context, o Options) (*Server, error) {
	found, err := e.findOrDownload(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("pgembed: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, e.limits.start,
		fmt.Errorf("the server was not ready within %s: %w", e.limits.start, context.DeadlineExceeded))
	defer cancel()

	s := &Server{env: e, programs: found, scratch: o.Dir == ""}
	s.stop = sync.OnceValue(s.shutDown)
	if err := s.open(ctx, o); err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = cause // err only says what a program did not do because it was stopped.
		}
		return nil, fmt.Errorf("pgembed: %w", errors.Join(err, s.shutDown()))
	}
	return s, nil
}

// open prepares the folder and launches the server. After an error, shutDown undoes whatever was done.
func (s *Server) open(ctx context.Context, o Options) (err error) {
	s.folder.major, o.Template = s.programs.Major, cmp.Or(o.Template, s.env.template)
	if s.folder.base, err = s.makeBase(o); err != nil {
		return err
	}
	if s.who, err = serverAccount(s.folder.data()); err != nil {
		return err
	}
	if err := errors.Join(s.who.mayEnter(ctx, s.folder.base), s.who.mayEnter(ctx, s.programs.Dir)); err != nil {
		return err
	}
	if s.lock, err = lockFolder(s.folder.lock(), s.folder.path()); err != nil {
		return err
	}
	if s.password, err = s.folder.prepare(ctx, s.programs, s.who, o); err != nil {
		return err
	}
	if err := awaitLeftover(ctx, s.folder.data(), s.env.limits.leftover); err != nil {
		return err
	}
	return s.launch(ctx, o)
}

// makeBase makes the absolute Options.Dir if it is missing, or a throw-away folder.
func (s *Server) makeBase(o Options) (dir string, err error) {
	if !s.scratch {
		if dir, err = filepath.Abs(o.Dir); err == nil {
			err = makeFolder(dir)
		}
		return dir, err
	}
	temp := cmp.Or(o.Temp, s.env.temp)
	sweepScratch(temp)
	if dir, err = os.MkdirTemp(temp, scratchPrefix+"*"); err == nil {
		err = os.Chmod(dir, folderMode)
	}
	return dir, err
}

// URL is the address of a database on this server, for the superuser. An empty name means the database postgres, which
// always exists.
func (s *Server) URL(database string) string {
	address := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + cmp.Or(database, "postgres"),
		RawQuery: "sslmode=disable",
	}
	return address.String()
}

// Dir is the folder of this major version: it holds data, password and the log.
func (s *Server) Dir() string { return s.folder.path() }

// Version is the full version of the server, such as "16.9".
func (s *Server) Version() string { return s.programs.Version }

// Done is closed when the server has ended, by itself or through Stop.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// Stop shuts the server down and returns when it has ended, after 20 seconds at the most. It removes a throw-away folder.
// Clients are disconnected. The error says when the shutdown was not clean, in which case the next start recovers the data.
// Call Stop even when the server ended by itself: that is not an error. Later calls return the same.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) shutDown() (err error) {
	if s.process != nil && !s.process.ended() {
		err = s.process.stop(s.env.limits)
	}
	if s.scratch && s.folder.base != "" {
		err = errors.Join(err, removeFolder(s.folder.base))
	}
	return errors.Join(err, s.lock.release())
}
