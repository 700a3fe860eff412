package storetest

import (
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Relay is a proxy between a test and a database that simulates network faults.
type Relay struct {
	// URL is the database's URL through the relay.
	URL string

	target atomic.Pointer[string]
	silent atomic.Bool
}

// NewRelay returns a Relay to the database. It ends with the test.
func NewRelay(t testing.TB, databaseURL string) *Relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // Closed below.
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	r := &Relay{}
	r.Lead(t, databaseURL)
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	u.Host = listener.Addr().String()
	r.URL = u.String()
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go r.serve(client)
		}
	}()
	return r
}

// Lead directs new connections to the server of that URL. Existing ones stay.
func (r *Relay) Lead(t testing.TB, databaseURL string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	r.target.Store(&u.Host)
}

// Silence drops everything in both directions while all connections stay open, or ends that.
func (r *Relay) Silence(on bool) { r.silent.Store(on) }

func (r *Relay) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", *r.target.Load()) //nolint:noctx // Closed below.
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go r.pass(client, server)
	r.pass(server, client)
}

func (r *Relay) pass(to io.WriteCloser, from io.Reader) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if r.silent.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
