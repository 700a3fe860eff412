//go:build linux || darwin

package pgembed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// portAttempts is how often another free port is tried when another program takes the chosen one before the server
// does.
const portAttempts = 10

// launch runs the server until it is ready for connections.
func (s *Server) launch(ctx context.Context, o Options) error {
	port := o.Port
	if port == 0 && !s.scratch {
		port = s.folder.lastPort()
	}
	for attempt := 1; ; {
		err := s.launchOnce(ctx, o, port)
		if err == nil {
			return s.folder.keepPort(s.port)
		}
		if ctx.Err() != nil || s.process == nil || !s.process.ended() {
			return err
		}
		output := s.log.text()
		switch {
		case strings.Contains(output, "could not bind") && attempt < portAttempts:
			attempt++
			port = o.Port // Another program uses the last port now.
		case strings.Contains(output, "shared memory block"):
			// The children of a killed server see its death a moment later.
			select {
			case <-time.After(pollInterval):
			case <-ctx.Done():
				return errors.Join(context.Cause(ctx), err)
			}
		default:
			return err
		}
	}
}

// launchOnce starts the server on the port, or on a free one when it is 0.
func (s *Server) launchOnce(ctx context.Context, o Options, port int) error {
	args, err := o.arguments()
	if err == nil && port == 0 {
		port, err = s.env.freePort(ctx)
	}
	if err != nil {
		return err
	}
	args = append(args, "-D", s.folder.data(), "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	s.log.forget()
	started := time.Now()
	p, err := startProcess(s.who, s.log, s.programs.program("postgres"), args...)
	if err != nil {
		return err
	}
	s.process, s.port = p, port
	// The server keeps a line about its status in its pid file.
	err = poll(ctx, func() bool { return p.ended() || s.describedBy(readPIDFile(s.folder.data()), started) })
	switch {
	case err != nil:
		return s.log.explain(err)
	case p.ended():
		return s.log.explain(fmt.Errorf("the server ended while starting: %w", p.err))
	}
	return nil
}

// describedBy reports whether the file says that this server is ready. In a container, a stale file often has the same
// process id, so the port and the time must match too.
func (s *Server) describedBy(f pidFile, started time.Time) bool {
	return f.status == "ready" && f.pid == s.process.cmd.Process.Pid && f.port == s.port && f.started >= started.Unix()
}

// freePort returns an unused port.
func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.Join(errors.New("the system gave no TCP address"), listener.Close())
	}
	return address.Port, listener.Close()
}
