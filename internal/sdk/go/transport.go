package client

import (
	"net/http"
	"sync"
	"time"
)

// Through a proxy that speaks HTTP/2, requests share a connection, even one that is dead: only a ping without a reply ends
// it. silentConnection is the silence before a ping, and pingTimeout the wait for the reply.
const (
	silentConnection = 10 * time.Second
	pingTimeout      = 5 * time.Second
)

// sharedTransport returns the transport of all SDKs that have no http.Client of their own. It is the default transport of
// the program, without its limit of two idle connections to a server, and without dead connections.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // The program has replaced it.
	}
	t := standard.Clone()
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	if t.HTTP2 == nil {
		t.HTTP2 = &http.HTTP2Config{SendPingTimeout: silentConnection, PingTimeout: pingTimeout}
	}
	return t
})
