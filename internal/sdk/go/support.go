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
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/client/plain"
)

const (
	// attemptTimeout bounds one attempt of a request that is not a stream.
	attemptTimeout = time.Minute
	// maxBody bounds the body of a response, in bytes.
	maxBody = 64 << 20
)

var (
	// ErrProtocol is wrapped by errors about responses that break the contract.
	ErrProtocol = errors.New("support: the response breaks the contract")
	// ErrNotModified means that the version in If-None-Match is still current.
	ErrNotModified = errors.New("support: not modified")
	// ErrNoAnswer means that a stream ended without an answer.
	ErrNoAnswer = errors.New("support: the stream ended without an answer")
)

// Support is the SDK: it has a method for each operation of the contract. It is safe for concurrent use.
type Support struct {
	server      string
	http        plain.HttpRequestDoer
	headers     http.Header
	customer    *string // the customer to act for; nil for none
	credentials *credentials
	retries     int
}

// New returns an SDK for the server at SUPPORT_BASE_URL, with the access token or API key in SUPPORT_TOKEN, unless
// options override them. It sends no request. The SDK follows no redirects unless WithHTTPClient sets a client that
// does.
func New(options ...Option) (*Support, error) {
	c := newConfig()
	for _, set := range options {
		if err := set(c); err != nil {
			return nil, err
		}
	}
	return c.support()
}

// ForCustomer returns an SDK whose requests all act for one customer of the service, named by the service's own id. It
// needs an API key with the scope on_behalf. The new SDK shares its connections and tokens with s, which still acts for
// the service itself. Making one for each request is cheap.
//
// Operations that are not for customers return an error. So does every method when the id is empty or has characters
// other than visible ASCII: the SDK never acts for somebody else instead.
func (s *Support) ForCustomer(id string) *Support {
	acting := *s
	acting.customer = &id
	return &acting
}

// onBehalfOf is the header that names the customer to act for.
const onBehalfOf = "X-On-Behalf-Of"

// operation holds the contract's facts about sending an operation's requests.
type operation struct{ public, takesKey, repeatable bool }

// request makes the request with all its headers but the token. The headers of the call come last, so that they take
// precedence.
func (s *Support) request(
	ctx context.Context, o operation, options callOptions, build func(server string) (*http.Request, error),
) (*http.Request, error) {
	request, err := build(s.server)
	if err != nil {
		return nil, fmt.Errorf("support: %w", err)
	}
	request = request.WithContext(ctx)
	request.URL.RawQuery = withoutEmpty(request.URL.Query()).Encode()
	request.Header.Set("User-Agent", "support-go/"+plain.Version)
	request.Header.Set("Accept", "application/json, application/problem+json")
	maps.Copy(request.Header, s.headers)
	if s.customer != nil {
		// Proxies may drop an empty header, and white space around a value is not sent: the request would act for
		// somebody else.
		if *s.customer == "" || strings.ContainsFunc(*s.customer, func(r rune) bool { return r < '!' || r > '~' }) {
			return nil, fmt.Errorf("support: %q is not the id of a customer", *s.customer)
		}
		request.Header.Set(onBehalfOf, *s.customer)
	}
	maps.Copy(request.Header, options.header)
	if o.takesKey && request.Header.Get("Idempotency-Key") == "" {
		request.Header.Set("Idempotency-Key", uuid.NewString())
	}
	return request, nil
}

// withoutEmpty removes empty parameters, because parameters without a pointer are empty when they are not set.
func withoutEmpty(query url.Values) url.Values {
	maps.DeleteFunc(query, func(_ string, values []string) bool { return strings.Join(values, "") == "" })
	return query
}

// send sends a request, retries it where that may help, and returns the response's header and body.
func (s *Support) send(
	ctx context.Context, o operation, options []CallOption, build func(server string) (*http.Request, error),
) (http.Header, []byte, error) {
	chosen := choose(options)
	request, err := s.request(ctx, o, chosen, build)
	if err != nil {
		return nil, nil, unsendableError{err}
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
	if chosen.responseHeader != nil {
		*chosen.responseHeader = header
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
		return nil, nil, fmt.Errorf("%w: the response is longer than %d bytes", ErrProtocol, maxBody)
	}
	return response.Header, body, nil
}

// exchange sends the request once, and again if the token had to be replaced. It returns a successful response.
func (s *Support) exchange(ctx context.Context, o operation, request *http.Request) (*http.Response, error) {
	if o.public || request.Header.Get("Authorization") != "" {
		return s.roundTrip(ctx, request, "")
	}
	token, err := s.token(ctx)
	if err != nil {
		return nil, err
	}
	response, err := s.roundTrip(ctx, request, token)
	for fresh := false; !fresh && IsProblem(err, plain.ProblemCodeInvalidToken); {
		refusal := err
		if token, fresh, err = s.renew(ctx, token); err != nil {
			return nil, err
		}
		if token == "" {
			return nil, refusal
		}
		response, err = s.roundTrip(ctx, request, token)
	}
	return response, err
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
	response, err := s.http.Do(sent)
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
	problem := readProblem(response)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("support: read the problem: %w", ctx.Err()) // It may be incomplete.
	}
	return nil, problem
}

// call sends a request whose response is JSON.
func call[T any](
	ctx context.Context, s *Support, o operation, options []CallOption, build func(server string) (*http.Request, error),
) (*T, error) {
	_, body, err := s.send(ctx, o, options, build)
	if err != nil {
		return nil, err
	}
	return decode[T](body)
}

// callList sends a request whose response is a list without pages.
func callList[T any](
	ctx context.Context, s *Support, o operation, options []CallOption, build func(server string) (*http.Request, error),
) ([]T, error) {
	list, err := call[[]T](ctx, s, o, options, build)
	if err != nil {
		return nil, err
	}
	return *list, nil
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
