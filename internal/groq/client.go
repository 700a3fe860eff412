// Package groq streams chat completions from Groq, or from any server that speaks the same OpenAI-compatible
// format over Server-Sent Events (vLLM, Ollama and others).
//
// A [Stream] is read like a bufio.Scanner: Next, Delta, and when Next reports false, Err and Result. Everything that
// comes from upstream is bounded by [Limits], and every failure is an [Error] with a kind from a closed list, whose text
// is safe to log. The package starts no goroutine of its own.
//
// A model's reasoning never becomes part of a delta: Groq is asked to leave it out, fields for it are dropped, and
// markup at the beginning of the text is stripped. Some servers write only the closing tag. A server that is neither Groq
// nor OpenAI is suspected of that until a model has finished one answer, which therefore comes in one piece.
package groq

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	completionsPath = "/chat/completions"
	groqPrefix      = "/openai/v1"
	userAgent       = "support-backend"
)

// Options configures a [Client].
type Options struct {
	// BaseURL names the server: an http or https URL without user information, query and fragment. See [New] for
	// the paths it may have.
	BaseURL string
	// APIKey is sent as a bearer token. If it is empty, for a server without authentication, no header is sent.
	APIKey string
	// HTTPClient replaces the client's own transport. It is copied; redirects, cookies and Timeout are turned off
	// in the copy, because a redirect would carry the key away and a timeout would cut healthy streams.
	HTTPClient *http.Client
	// Control is called before each connection of the client's own transport, with the address that is dialled, and may
	// refuse it; nil allows all.
	Control func(network, address string, c syscall.RawConn) error
	// Limits bounds every stream.
	Limits Limits
	// Dialect is the kind of server; empty means DialectAuto.
	Dialect Dialect
}

// Limits bounds one [Stream]. All of them must be positive, except Retries, which may be 0.
type Limits struct {
	// Header is the time from sending a request until the headers of the response, per attempt.
	Header time.Duration
	// Idle is the longest silence between two reads of a response. Time the caller takes between two calls of Next
	// does not count.
	Idle time.Duration
	// Total is the time for the whole stream, with all attempts and the waits between them.
	Total time.Duration
	// RetryWait is the longest wait that upstream may ask for; a longer one is returned as the error's RetryAfter.
	RetryWait time.Duration
	// Line is the size of one line, and of one event's data, in bytes.
	Line int
	// Body is how many bytes of a response may come without a chunk of the answer among them.
	Body int64
	// Answer is the size of the content in bytes. A longer answer is cut there and finishes as FinishLength.
	Answer int
	// Retries is the number of attempts after the first.
	Retries int
}

func (l Limits) valid() bool {
	return l.Header > 0 && l.Idle > 0 && l.Total > 0 && l.RetryWait > 0 &&
		l.Line > 0 && l.Body > 0 && l.Answer > 0 && l.Retries >= 0
}

// Client sends chat completion requests to one server. It is safe for concurrent use.
type Client struct {
	endpoint string
	host     string
	apiKey   string
	http     *http.Client
	limits   Limits
	speech   speech
	habits   habits
}

// New returns a client for the server at o.BaseURL, whose path decides where requests go:
//
//	no path, or "/"              → {base}/openai/v1/chat/completions, as on https://api.groq.com
//	a path ending in /v1         → {base}/chat/completions, as on http://localhost:11434/v1
//	…ending in /chat/completions → {base} as it is
//
// It returns an error for any other path, for a base URL that is not one, for an unknown dialect, for a key that no
// header can hold, and for limits that are not positive. The error quotes neither the URL nor the key.
func New(o Options) (*Client, error) {
	endpoint, err := endpointURL(o.BaseURL)
	if err != nil {
		return nil, err
	}
	dialect := o.Dialect
	if dialect == "" || dialect == DialectAuto {
		dialect = dialectOf(endpoint)
	}
	speech, ok := speeches[dialect]
	if !ok {
		return nil, errors.New("groq: unknown dialect")
	}
	if strings.ContainsFunc(o.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("groq: API key must be visible ASCII characters without spaces")
	}
	if !o.Limits.valid() {
		return nil, errors.New("groq: limits must be positive")
	}
	client := http.Client{Transport: newTransport(o.Control)}
	if o.HTTPClient != nil {
		client = *o.HTTPClient
	}
	client.Timeout = 0
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		endpoint: endpoint.String(), host: endpoint.Host, apiKey: o.APIKey, http: &client, limits: o.Limits, speech: speech,
	}, nil
}

// Host names the server, with the port if the URL has one.
func (c *Client) Host() string { return c.host }

// CloseIdleConnections closes connections that no stream is using.
func (c *Client) CloseIdleConnections() {
	c.http.CloseIdleConnections()
}

func endpointURL(base string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(base))
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		// The parser's error would quote the URL, and with it a password that does not belong there.
		return nil, errors.New("groq: base URL is not an absolute URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("groq: base URL must use http or https")
	case u.User != nil:
		return nil, errors.New("groq: base URL must not contain user information")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("groq: base URL must not have a query or a fragment")
	}
	path := strings.TrimRight(u.Path, "/")
	switch {
	case path == "":
		path = groqPrefix + completionsPath
	case strings.HasSuffix(path, "/v1"):
		path += completionsPath
	case !strings.HasSuffix(path, completionsPath):
		return nil, errors.New("groq: base URL must have no path, or one that ends in /v1 or /chat/completions")
	}
	u.Path, u.RawPath = path, ""
	return u, nil
}

// newTransport returns a separate transport, so that changes to http.DefaultTransport cannot expose the key.
func newTransport(control func(string, string, syscall.RawConn) error) *http.Transport {
	// Over HTTP/1.1, the kernel notices within half a minute that the other side of an idle connection is gone.
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: control, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 5 * time.Second,
		DisableCompression:  true,
		MaxIdleConns:        64,
		MaxIdleConnsPerHost: 64,
		// A new connection costs the next answer two round trips before its request is sent.
		IdleConnTimeout:        5 * time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
		// The buffer exists for as long as an answer runs, so it has room for the headers only; larger bodies bypass
		// it.
		WriteBufferSize: 1 << 10,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: silentConnection, PingTimeout: pingTimeout, MaxReceiveBufferPerStream: maxUnread,
		},
	}
}

const (
	// Over HTTP/2, as with Groq, answers share connections, and new ones join them even on a connection that is dead: only
	// a ping without a reply ends that, before Limits.Header and Limits.Idle end the answers. silentConnection is the
	// silence before a ping, and pingTimeout the wait for the reply.
	silentConnection, pingTimeout = 5 * time.Second, 5 * time.Second
	// maxUnread bounds what HTTP/2 receives of an answer before it is read, in bytes.
	maxUnread = 64 << 10
)

// Stream prepares one streamed completion. The request is sent by the first call of [Stream.Next]; the time of
// Limits.Total runs from here. Cancelling ctx ends the stream and closes the connection at once. The caller must call
// [Stream.Close]. [Stream.Err] reports failures, including an invalid request.
func (c *Client) Stream(ctx context.Context, req Request) *Stream {
	ctx, cancel := context.WithTimeoutCause(ctx, c.limits.Total, errTotal)
	s := &Stream{client: c, ctx: ctx, cancel: cancel, req: req, result: Result{Model: req.Model}}
	if err := s.encode(); err != nil {
		s.end(err)
	}
	return s
}
