package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/supportbackend/support/gen/client/plain"
)

// Option configures a Support. Options of a call take precedence.
type Option func(*config) error

// config holds the options.
type config struct {
	baseURL string
	http    plain.HttpRequestDoer
	headers http.Header
	retries int
	memory  memory
	store   SessionStore
}

func newConfig() *config {
	return &config{
		baseURL: os.Getenv("SUPPORT_BASE_URL"),
		http: &http.Client{
			Transport:     sharedTransport(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		headers: http.Header{},
		retries: defaultRetries,
		memory:  memory{tokens: plain.AccessToken{AccessToken: os.Getenv("SUPPORT_TOKEN")}},
	}
}

func (c *config) support() (*Support, error) {
	base, err := url.Parse(c.baseURL)
	switch {
	case c.baseURL == "":
		return nil, errors.New("support: no base URL: set SUPPORT_BASE_URL, or use WithBaseURL")
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "":
		return nil, errors.New("support: the base URL must have the form https://host/path")
	}
	s := &Support{
		server: strings.TrimSuffix(c.baseURL, "/") + "/", http: c.http, headers: c.headers, retries: c.retries,
		credentials: &credentials{store: c.store},
	}
	if c.store == nil {
		s.credentials.store, s.credentials.access = &c.memory, c.memory.tokens.AccessToken
	}
	return s, nil
}

// WithBaseURL sets the server's URL. The default is SUPPORT_BASE_URL.
func WithBaseURL(baseURL string) Option {
	return func(c *config) error {
		c.baseURL = baseURL
		return nil
	}
}

// WithHTTPClient sets the client that sends the requests. The default is an http.Client that follows no redirects, shares
// its connections with the program's other SDKs, and replaces dead connections within 15 seconds. Use its Transport for
// cross-cutting concerns such as tracing.
func WithHTTPClient(doer plain.HttpRequestDoer) Option {
	return func(c *config) error {
		c.http = doer
		return nil
	}
}

// WithDefaultHeader sets a header of every request. WithHeader overrides it.
func WithDefaultHeader(name, value string) Option {
	return func(c *config) error {
		c.headers.Set(name, value)
		return nil
	}
}

// WithToken sets the access token or the API key. The default is SUPPORT_TOKEN.
func WithToken(token string) Option {
	return func(c *config) error {
		c.memory.tokens.AccessToken = token
		return nil
	}
}

// WithRefreshToken replaces an expired access token with POST /auth/refresh. A refresh token is for one use: the SDK
// calls keep, which may be nil, with each new pair of tokens before it uses them. It makes one call at a time, and
// requests wait for it. If several processes share a session, use WithSessionStore.
func WithRefreshToken(refreshToken string, keep func(plain.AccessToken)) Option {
	return func(c *config) error {
		c.memory.tokens.RefreshToken, c.memory.keep = refreshToken, keep
		return nil
	}
}

// WithSessionStore reads the tokens from a store and writes new ones to it. It replaces WithToken and WithRefreshToken.
func WithSessionStore(store SessionStore) Option {
	return func(c *config) error {
		c.store = store
		return nil
	}
}

// WithRetries sets how often a request is retried. The default is 2; 0 turns retries off.
func WithRetries(n int) Option {
	return func(c *config) error {
		if n < 0 {
			return fmt.Errorf("support: retries must be 0 or more, not %d", n)
		}
		c.retries = n
		return nil
	}
}

// CallOption configures one request. It takes precedence over the options of New.
type CallOption func(*callOptions)

// callOptions holds the options of a call.
type callOptions struct {
	header         http.Header
	responseHeader *http.Header
}

func choose(options []CallOption) callOptions {
	chosen := callOptions{header: http.Header{}}
	for _, choose := range options {
		choose(&chosen)
	}
	return chosen
}

// WithHeader sets a header of one request.
func WithHeader(name, value string) CallOption {
	return func(c *callOptions) { c.header.Set(name, value) }
}

// WithIdempotencyKey sets the idempotency key of one request. The default is a random one. If you store the key before
// the request, another process can safely repeat the request.
func WithIdempotencyKey(key string) CallOption { return WithHeader("Idempotency-Key", key) }

// WithIfMatch makes the request conditional on the version of what it changes. If the version differs, the error is a
// *Problem with the status 412.
func WithIfMatch(etag string) CallOption { return WithHeader("If-Match", etag) }

// WithIfNoneMatch makes the request return ErrNotModified if the version is still current.
func WithIfNoneMatch(etag string) CallOption { return WithHeader("If-None-Match", etag) }

// WithLastEventID begins a stream after the event with the id, such as a browser's Last-Event-ID. An empty id begins it
// at its start.
func WithLastEventID(id string) CallOption {
	return func(c *callOptions) {
		if id != "" {
			c.header.Set(lastEventID, id)
		}
	}
}

// WithResponseHeader stores the header of the response, which contains the ETag.
func WithResponseHeader(header *http.Header) CallOption {
	return func(c *callOptions) { c.responseHeader = header }
}
