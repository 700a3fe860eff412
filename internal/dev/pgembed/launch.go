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

// ready is in the log of a server, or of a standby, as soon as it accepts connections.
const ready = "database system is ready to accept"

// launch runs the server until it is ready for connections.
func (s *Server) launch(ctx context.Context, o Options) (err error) {
	log, err := openLog(s.folder.log())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	port := o.Port
	if port == 0 && !s.scratch {
		port = s.folder.lastPort()
	}
	for {
		err := s.launchOnce(ctx, o, log, port)
		if err == nil || ctx.Err() != nil || s.process == nil || !s.process.ended() {
			return err
		}
		switch output := log.text(); {
		case strings.Contains(output, "could not bind"):
			port = o.Port // Another program uses the last port now.
		case strings.Contains(output, "shared memory block"):
			// The children of a killed server see its death a moment later.
		default:
			return err
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// launchOnce starts the server on the port, or on a free one when it is 0.
func (s *Server) launchOnce(ctx context.Context, o Options, log *serverLog, port int) (err error) {
	if port == 0 {
		port, err = s.env.freePort(ctx)
	}
	if err := errors.Join(err, log.begin()); err != nil {
		return err
	}
	args := append(o.arguments(), "-D", s.folder.data(), "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	// The server runs until Stop.
	cmd := command(context.WithoutCancel(ctx), s.who, s.programs.Path("postgres"), args...)
	cmd.Stdout, cmd.Stderr = log.File, log.File
	p, err := startProcess(cmd)
	if err != nil {
		return err
	}
	s.process, s.port = p, port
	err = poll(ctx, func() bool { return p.ended() || strings.Contains(log.text(), ready) })
	switch {
	case err != nil:
		return log.explain(err)
	case p.ended():
		return log.explain(fmt.Errorf("the server ended while starting: %s", cmd.ProcessState))
	}
	return nil
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
