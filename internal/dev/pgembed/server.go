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
)

// limits bound every wait for another process.
type limits struct {
	start     time.Duration // Start, without a download
	fast      time.Duration // a clean shutdown
	immediate time.Duration // a shutdown without a checkpoint
	leftover  time.Duration // the end of a server whose parent was killed
	download  time.Duration
}

// removeLimit bounds the removal of a folder that is still being written to.
const removeLimit = 5 * time.Second

// environment is what Start finds outside its options. Tests replace parts.
type environment struct {
	finder     finder
	temp       string // where throw-away folders are made
	repository string // where downloads come from
	freePort   func(context.Context) (int, error)
	limits     limits
}

func newEnvironment() environment {
	return environment{
		finder:     newFinder(),
		temp:       os.TempDir(),
		repository: cmp.Or(os.Getenv("PGEMBED_REPOSITORY_URL"), mavenCentral),
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

// Server is a running PostgreSQL server. Its methods may be called from
// several goroutines.
type Server struct {
	programs Binaries
	folder   folder
	scratch  bool
	who      account
	password string
	env      environment

	lock    *fileLock
	log     *serverLog
	process *process
	port    int

	// failure is how the server ended by itself, put together once.
	failure func() error
	mu      sync.Mutex
	asked   bool // Stop came before the end
	stop    func() error
}

// Start starts a server and returns when it accepts connections. ctx bounds
// the start only, as does a limit of one minute to which a download adds up to
// ten; when either ends, nothing is left running.
//
// It returns ErrInUse when another process uses the folder, ErrNoBinaries when
// there are no programs and none could be downloaded, ErrUnsupported on
// systems other than Linux and macOS, and otherwise what PostgreSQL said.
//
// With Options.Download, the address to download from can be changed with
// PGEMBED_REPOSITORY_URL to a mirror with the layout of a Maven repository.
func Start(ctx context.Context, o Options) (*Server, error) {
	return newEnvironment().start(ctx, o)
}

func (e environment) start(ctx context.Context, o Options) (*Server, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	programs, err := e.findOrDownload(ctx, o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, e.limits.start,
		fmt.Errorf("the server was not ready within %s: %w", e.limits.start, context.DeadlineExceeded))
	defer cancel()

	s := &Server{programs: programs, scratch: o.Dir == "", env: e}
	s.failure = sync.OnceValue(s.explainEnd)
	s.stop = sync.OnceValue(s.shutDown)
	if err := s.open(ctx, o); err != nil {
		return nil, fmt.Errorf("pgembed: %w", errors.Join(err, s.shutDown()))
	}
	return s, nil
}

// open prepares the folder and launches the server. After an error, shutDown
// undoes whatever was done.
func (s *Server) open(ctx context.Context, o Options) error {
	base, err := s.chooseBase(o)
	if err != nil {
		return err
	}
	s.folder = folder{base: base, major: s.programs.Major}
	if s.who, err = serverAccount(s.folder.data()); err != nil {
		return err
	}
	if err := makeFolders(base, s.who.folderMode()); err != nil {
		return err
	}
	if err := checkFolder(base); err != nil {
		return err
	}
	for _, dir := range []string{base, s.programs.Dir} {
		if err := s.who.mayEnter(dir); err != nil {
			return err
		}
	}
	if s.lock, err = lockFolder(ctx, s.folder.lock(), s.folder.path()); err != nil {
		return err
	}
	if err := s.folder.prepare(ctx, s.programs, s.who, o); err != nil {
		return err
	}
	if s.password, err = s.folder.readPassword(); err != nil {
		return err
	}
	if err := awaitLeftover(ctx, s.folder.data(), s.env.limits.leftover); err != nil {
		return err
	}
	if s.log, err = openLog(s.folder.log(), o.Log); err != nil {
		return err
	}
	return s.launch(ctx, o)
}

// chooseBase is the absolute Options.Dir, or a new throw-away folder.
func (s *Server) chooseBase(o Options) (string, error) {
	if !s.scratch {
		return filepath.Abs(o.Dir)
	}
	sweepScratch(s.env.temp)
	who, err := serverAccount("")
	if err != nil {
		return "", err
	}
	dir, err := makeScratch(s.env.temp, who.folderMode())
	// To be removed even when its mode could not be set.
	s.folder.base = dir
	return dir, err
}

// URL is the address of a database on this server, for the superuser. An empty
// name means the database postgres, which always exists.
func (s *Server) URL(database string) string {
	if database == "" {
		database = "postgres"
	}
	address := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + database,
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

// Err is nil while the server runs and after Stop has ended it. When the
// server ended by itself, Err says how, with the last lines of its log.
func (s *Server) Err() error {
	if !s.process.ended() {
		return nil
	}
	s.mu.Lock()
	asked := s.asked
	s.mu.Unlock()
	if asked {
		return nil
	}
	return s.failure()
}

// explainEnd reads the log, so it has to run before the folder is removed.
func (s *Server) explainEnd() error {
	return s.log.explain(fmt.Errorf("pgembed: the server ended by itself: %w", s.process.ending()))
}

// Stop shuts the server down and returns when it has ended, after 20 seconds
// at the most. It removes a throw-away folder. Clients are disconnected. The
// error says when the shutdown was not clean, in which case the next start
// recovers the data. Stop has to be called, too, when the server ended by
// itself: that is no error here, see Err. Later calls return the same.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) shutDown() error {
	var errs []error
	if s.process != nil {
		s.mu.Lock()
		s.asked = !s.process.ended()
		asked := s.asked
		s.mu.Unlock()
		if asked {
			errs = append(errs, s.process.stop(s.env.limits))
		} else {
			_ = s.failure() // Err returns it later
		}
	}
	if s.log != nil {
		errs = append(errs, s.log.close())
	}
	if s.scratch && s.folder.base != "" {
		// The context of Start has ended by now, so this wait has its own end.
		ctx, cancel := context.WithTimeout(context.Background(), removeLimit) //nolint:forbidigo // See above.
		errs = append(errs, removeFolder(ctx, s.folder.base))
		cancel()
	}
	if s.lock != nil {
		errs = append(errs, s.lock.release())
	}
	return errors.Join(errs...)
}
