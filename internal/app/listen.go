package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// Listen returns a listener for Serve. Its error names the setting that the address comes from.
func Listen(ctx context.Context, setting, addr string) (net.Listener, error) {
	// The kernel notices peers that vanished within half a minute.
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, &ListenError{Setting: setting, Addr: addr, Err: err}
	}
	return listener, nil
}

// ListenError says why the server cannot listen on an address, and what to do about it.
type ListenError struct {
	// Setting is where the address comes from.
	Setting string
	Addr    string
	Err     error
}

// Unwrap returns the system's error.
func (e *ListenError) Unwrap() error { return e.Err }

// Error names the address, the cause and the setting.
func (e *ListenError) Error() string {
	var unknown *net.DNSError
	switch {
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return fmt.Sprintf("%s is already in use: stop the program that listens there, or choose another address with %s, such as %s",
			e.Addr, e.Setting, nextPort(e.Addr))
	case errors.Is(e.Err, syscall.EACCES):
		return fmt.Sprintf("this user may not listen on %s: choose a port of 1024 or above with %s", e.Addr, e.Setting)
	case errors.Is(e.Err, syscall.EADDRNOTAVAIL), errors.As(e.Err, &unknown):
		return fmt.Sprintf("%s is not an address of this machine: choose another one with %s", e.Addr, e.Setting)
	default:
		return fmt.Sprintf("%s: %s", e.Setting, e.Err)
	}
}

// nextPort returns the address with the next port, or with port 0, any free one, if there is no next port.
func nextPort(addr string) string {
	host, text, _ := net.SplitHostPort(addr)
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 1<<16-1 {
		port = 0
	} else {
		port++
	}
	return net.JoinHostPort(host, strconv.FormatUint(port, 10))
}
