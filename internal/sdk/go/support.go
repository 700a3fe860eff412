// Package client is the Support Backend's SDK for Go. [New] returns a [Support], which has a method for each operation of the
// contract: it retries, resumes streams, follows pages, keeps its token fresh, and returns values and errors.
//
// The types of the contract, such as [Ticket], are those of package plain, which also has the client that sends one request for
// each call.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/client/plain"
)

const (
	// attemptTimeout bounds one attempt of a request that is no stream.
	attemptTimeout = time.Minute
	// maxBody bounds the body of a response, in bytes.
	maxBody = 64 << 20
)

var (
	// ErrProtocol is wrapped by the errors for responses that the contract does not have.
	ErrProtocol = errors.New("support: the server does not keep to the contract")
	// ErrNotModified says that what If-None-Match names is still current.
	ErrNotModified = errors.New("support: not modified")
	// ErrNoAnswer says that a stream had nothing (more) to tell.
	ErrNoAnswer = errors.New("support: the stream ended without an answer")
)

// Support is the SDK: a method for each operation of the contract, which retries what may be retried, keeps its access
// token fresh, and returns values, or problems as errors. It may be used by several goroutines.
type Support struct {
	client      plain.Client
	credentials *credentials
	retries     int
}

// Option sets a Support up.
type Option func(*Support) error

// RequestEditorFn changes a request before it is sent.
type RequestEditorFn = plain.RequestEditorFn

// WithBaseURL says where the server is, in place of SUPPORT_BASE_URL.
func WithBaseURL(baseURL string) Option { return ofClient(plain.WithBaseURL(baseURL)) }

// WithHTTPClient sends the requests, in place of an http.Client that follows no redirects.
func WithHTTPClient(doer plain.HttpRequestDoer) Option { return ofClient(plain.WithHTTPClient(doer)) }

// WithRequestEditorFn changes every request before it is sent.
func WithRequestEditorFn(edit RequestEditorFn) Option {
	return ofClient(plain.WithRequestEditorFn(edit))
}

func ofClient(option plain.ClientOption) Option {
	return func(s *Support) error { return option(&s.client) }
}

// WithToken gives the access token, in place of SUPPORT_TOKEN.
func WithToken(accessToken string) Option {
	return func(s *Support) error {
		s.credentials.access = accessToken
		return nil
	}
}

// WithRefreshToken lets an access token that has ended be replaced by POST /auth/refresh. A refresh token is for one use:
// keep, which may be nil, is called with each pair of tokens before they are used, one call at a time, and calls wait for it.
func WithRefreshToken(refreshToken string, keep func(plain.AccessToken)) Option {
	return func(s *Support) error {
		s.credentials.refresh, s.credentials.keep = refreshToken, keep
		return nil
	}
}

// WithRetries says how often a request is sent again, in place of twice. 0 is never.
func WithRetries(n int) Option {
	return func(s *Support) error {
		if n < 0 {
			return fmt.Errorf("support: %d retries", n)
		}
		s.retries = n
		return nil
	}
}

// New returns an SDK for the server at SUPPORT_BASE_URL, with the access token SUPPORT_TOKEN, unless options say otherwise.
// It sends nothing yet. Redirects are not followed, unless an http.Client that does is given.
func New(options ...Option) (*Support, error) {
	s := &Support{retries: defaultRetries, credentials: &credentials{access: os.Getenv("SUPPORT_TOKEN")}}
	s.client.Server = os.Getenv("SUPPORT_BASE_URL")
	s.client.Client = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, o := range options {
		if err := o(s); err != nil {
			return nil, err
		}
	}
	base, err := url.Parse(s.client.Server)
	switch {
	case s.client.Server == "":
		return nil, errors.New("support: no base URL: set SUPPORT_BASE_URL, or use WithBaseURL")
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "":
		return nil, errors.New("support: the base URL is not of the form https://host/path")
	}
	s.client.Server = strings.TrimSuffix(s.client.Server, "/") + "/"
	return s, nil
}

// WithHeader sets a header of one request.
func WithHeader(name, value string) RequestEditorFn {
	return func(_ context.Context, request *http.Request) error {
		request.Header.Set(name, value)
		return nil
	}
}

// WithIdempotencyKey gives the key of one request, in place of a made-up one. With a key that is stored before the request is
// sent, the request may also be repeated by another process.
func WithIdempotencyKey(key string) RequestEditorFn { return WithHeader("Idempotency-Key", key) }

// WithIfMatch makes the request depend on the version of what it changes: it is a *Problem with the status 412 if that is another.
func WithIfMatch(etag string) RequestEditorFn { return WithHeader("If-Match", etag) }

// WithIfNoneMatch makes the error ErrNotModified if what is asked for still has that version.
func WithIfNoneMatch(etag string) RequestEditorFn { return WithHeader("If-None-Match", etag) }

// WithResponseHeader stores the header of the response, which has the ETag.
func WithResponseHeader(header *http.Header) RequestEditorFn {
	return func(ctx context.Context, request *http.Request) error {
		*request = *request.WithContext(context.WithValue(ctx, responseHeader{}, header))
		return nil
	}
}

// responseHeader is the context's key of where to store the header.
type responseHeader struct{}

// operation is what the contract says about sending an operation.
type operation struct{ public, takesKey, repeatable bool }

// request makes the request, with all its headers but the token.
func (s *Support) request(
	ctx context.Context, o operation, edit []RequestEditorFn, build func(server string) (*http.Request, error),
) (*http.Request, error) {
	request, err := build(s.client.Server)
	if err != nil {
		return nil, fmt.Errorf("support: %w", err)
	}
	request = request.WithContext(ctx)
	request.URL.RawQuery = withoutEmpty(request.URL.Query()).Encode()
	request.Header.Set("User-Agent", "support-go/"+plain.Version)
	request.Header.Set("Accept", "application/json, application/problem+json")
	for _, change := range slices.Concat(s.client.RequestEditors, edit) {
		if err := change(ctx, request); err != nil {
			return nil, err
		}
	}
	if o.takesKey && request.Header.Get("Idempotency-Key") == "" {
		request.Header.Set("Idempotency-Key", uuid.NewString())
	}
	return request, nil
}

// withoutEmpty drops the parameters that are not set: those without a pointer are built as empty.
func withoutEmpty(query url.Values) url.Values {
	maps.DeleteFunc(query, func(_ string, values []string) bool { return strings.Join(values, "") == "" })
	return query
}

// send sends a request, again where that may help, and returns the response's header and body.
func (s *Support) send(
	ctx context.Context, o operation, edit []RequestEditorFn, build func(server string) (*http.Request, error),
) (http.Header, []byte, error) {
	request, err := s.request(ctx, o, edit, build)
	if err != nil {
		return nil, nil, err
	}
	var header http.Header
	var body []byte
	err = s.retry(ctx, o, func() error {
		header, body, err = s.attempt(ctx, o, request)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if into, wanted := request.Context().Value(responseHeader{}).(*http.Header); wanted {
		*into = header
	}
	return header, body, nil
}

func (s *Support) attempt(ctx context.Context, o operation, request *http.Request) (http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	response, err := s.exchange(ctx, o, request)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return nil, nil, fmt.Errorf("support: read the response: %w", err)
	}
	if len(body) > maxBody {
		return nil, nil, fmt.Errorf("%w: a response of more than %d bytes", ErrProtocol, maxBody)
	}
	return response.Header, body, nil
}

// exchange sends the request once, or twice when the token had to be refreshed in between. The response is a success.
func (s *Support) exchange(ctx context.Context, o operation, request *http.Request) (*http.Response, error) {
	own := o.public || request.Header.Get("Authorization") != ""
	token := ""
	if !own {
		var err error
		if token, err = s.token(ctx); err != nil {
			return nil, err
		}
	}
	response, err := s.roundTrip(ctx, request, token)
	var problem *Problem
	if own || !errors.As(err, &problem) || problem.Code != plain.ProblemCodeInvalidToken || !s.credentials.renewable() {
		return response, err
	}
	if token, err = s.renew(ctx, token); err != nil {
		return nil, err
	}
	return s.roundTrip(ctx, request, token)
}

func (s *Support) roundTrip(ctx context.Context, request *http.Request, token string) (*http.Response, error) {
	sent := request.Clone(ctx)
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, fmt.Errorf("support: %w", err)
		}
		sent.Body = body
	}
	if token != "" {
		sent.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := s.client.Client.Do(sent)
	if err != nil {
		return nil, fmt.Errorf("support: %w", err)
	}
	if response.StatusCode < http.StatusMultipleChoices {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusNotModified {
		return nil, ErrNotModified
	}
	return nil, readProblem(response)
}

// call sends a request whose response is JSON.
func call[T any](
	ctx context.Context, s *Support, o operation, edit []RequestEditorFn, build func(server string) (*http.Request, error),
) (*T, error) {
	_, body, err := s.send(ctx, o, edit, build)
	if err != nil {
		return nil, err
	}
	return decode[T](body)
}

func decode[T any](body []byte) (*T, error) {
	value := new(T)
	if bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
		return nil, fmt.Errorf("%w: the body is null", ErrProtocol)
	}
	if err := json.Unmarshal(body, value); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return value, nil
}
