// Package lossy is a network in memory that can lose everything, for tests on synctest's clock.
package lossy

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Network connects clients with one server, over HTTP/2 without TLS.
type Network struct {
	accepted chan net.Conn
	closed   chan struct{}

	mu    sync.Mutex
	lines []*line
}

// Serve serves the handler on a new network until the test ends. It directs the transport into the network.
func Serve(t testing.TB, transport *http.Transport, handler http.Handler) *Network {
	t.Helper()
	n := &Network{accepted: make(chan net.Conn), closed: make(chan struct{})}
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: protocols, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(n) }()
	transport.DialContext, transport.Protocols = n.dial, protocols
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
	})
	return n
}

// Lose loses everything that is sent on the connections so far, without telling their ends. It returns their number.
func (n *Network) Lose() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.lines {
		l.lost.Store(true)
	}
	return len(n.lines)
}

func (n *Network) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	l := &line{Conn: near}
	n.mu.Lock()
	n.lines = append(n.lines, l)
	n.mu.Unlock()
	n.accepted <- far
	return l, nil
}

// Accept returns the server's end of the next connection.
func (n *Network) Accept() (net.Conn, error) {
	select {
	case conn := <-n.accepted:
		return conn, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (n *Network) Close() error {
	close(n.closed)
	return nil
}

// Addr returns an address without a meaning.
func (n *Network) Addr() net.Addr { return &net.TCPAddr{} }

// line is the client's end of a connection.
type line struct {
	net.Conn
	lost atomic.Bool
}

func (l *line) Read(p []byte) (int, error) {
	for {
		n, err := l.Conn.Read(p)
		if err != nil || !l.lost.Load() {
			return n, err
		}
	}
}

func (l *line) Write(p []byte) (int, error) {
	if l.lost.Load() {
		return len(p), nil
	}
	return l.Conn.Write(p)
}
