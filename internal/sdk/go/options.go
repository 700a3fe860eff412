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

// Option sets a Support up. The options of a call beat it.
type Option func(*config) error

// config is what the options say.
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
		return nil, errors.New("support: the base URL is not of the form https://host/path")
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

// WithBaseURL says where the server is, in place of SUPPORT_BASE_URL.
func WithBaseURL(baseURL string) Option {
	return func(c *config) error {
		c.baseURL = baseURL
		return nil
	}
}

// WithHTTPClient sends the requests, in place of an http.Client that follows no redirects. Its Transport is the place for
// what concerns every request, such as tracing.
func WithHTTPClient(doer plain.HttpRequestDoer) Option {
	return func(c *config) error {
		c.http = doer
		return nil
	}
}

// WithDefaultHeader sets a header of every request that does not set it itself.
func WithDefaultHeader(name, value string) Option {
	return func(c *config) error {
		c.headers.Set(name, value)
		return nil
	}
}

// WithToken gives the access token or the API key, in place of SUPPORT_TOKEN.
func WithToken(token string) Option {
	return func(c *config) error {
		c.memory.tokens.AccessToken = token
		return nil
	}
}

// WithRefreshToken lets an access token that has ended be replaced by POST /auth/refresh. A refresh token is for one use:
// keep, which may be nil, is called with each pair of tokens before they are used, one call at a time, and calls wait for it.
// Where several processes share a session, use WithSessionStore.
func WithRefreshToken(refreshToken string, keep func(plain.AccessToken)) Option {
	return func(c *config) error {
		c.memory.tokens.RefreshToken, c.memory.keep = refreshToken, keep
		return nil
	}
}

// WithSessionStore takes the tokens from a store and keeps the next ones there, in place of WithToken and WithRefreshToken.
func WithSessionStore(store SessionStore) Option {
	return func(c *config) error {
		c.store = store
		return nil
	}
}

// WithRetries says how often a request is sent again, in place of twice. 0 is never.
func WithRetries(n int) Option {
	return func(c *config) error {
		if n < 0 {
			return fmt.Errorf("support: %d retries", n)
		}
		c.retries = n
		return nil
	}
}

// CallOption is for the one request that it is given to. It beats the options of New.
type CallOption func(*callOptions)

// callOptions is what the options of a call say.
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

// WithIdempotencyKey gives the key of one request, in place of a made-up one. With a key that is stored before the request is
// sent, the request may also be repeated by another process.
func WithIdempotencyKey(key string) CallOption { return WithHeader("Idempotency-Key", key) }

// WithIfMatch makes the request depend on the version of what it changes: it is a *Problem with the status 412 if that is another.
func WithIfMatch(etag string) CallOption { return WithHeader("If-Match", etag) }

// WithIfNoneMatch makes the error ErrNotModified if what is asked for still has that version.
func WithIfNoneMatch(etag string) CallOption { return WithHeader("If-None-Match", etag) }

// WithLastEventID begins a stream after the event that has the id, which may be one that a browser sends as Last-Event-ID.
// An empty id begins it at its start.
func WithLastEventID(id string) CallOption {
	return func(c *callOptions) {
		if id != "" {
			c.header.Set(lastEventID, id)
		}
	}
}

// WithResponseHeader stores the header of the response, which has the ETag.
func WithResponseHeader(header *http.Header) CallOption {
	return func(c *callOptions) { c.responseHeader = header }
}
