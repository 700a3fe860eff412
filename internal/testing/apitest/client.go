// Package apitest calls a server for a test, through the generated client. Package contracttest checks every response: one that
// openapi.yaml does not describe fails the test. Package desk has the servers.
package apitest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/contracttest"
)

// Password is the password of accounts made for tests.
const Password = "correct horse battery"

// patience is how long a request may take, with its whole response, so that a test whose stream never ends fails.
const patience = 2 * time.Minute

// Client calls one server.
type Client struct {
	URL string
	// Anonymous calls the API without a token.
	Anonymous *plain.ClientWithResponses
	// HTTP sends requests that the generated client would not; its responses are validated too.
	HTTP *http.Client
	// Contract checks the responses, and afterwards the entries of the journal.
	Contract *contracttest.Transport
}

// NewClient returns a client of the server at the URL, whose tokens a checks.
func NewClient(t testing.TB, url string, a *auth.Service) *Client {
	t.Helper()
	c := &Client{URL: url, Contract: contracttest.NewTransport(t, a)}
	c.HTTP = &http.Client{
		Timeout:       patience,
		Transport:     c.Contract,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	c.Anonymous = c.plain(t, "", "")
	return c
}

// plain returns the generated client, which sends a token and the name of the customer that a service acts for.
func (c *Client) plain(t testing.TB, token, onBehalfOf string) *plain.ClientWithResponses {
	t.Helper()
	p, err := plain.NewClientWithResponses(c.URL, plain.WithHTTPClient(c.HTTP),
		plain.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			if onBehalfOf != "" {
				r.Header.Set("X-On-Behalf-Of", onBehalfOf)
			}
			return nil
		}))
	require.NoError(t, err)
	return p
}

// LogIn logs an account in.
func (c *Client) LogIn(t testing.TB, email, password string) *User {
	t.Helper()
	token, err := c.Anonymous.LogInWithResponse(t.Context(), nil, client.LogInRequest{Email: email, Password: password})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, token.StatusCode(), "%s", token.Body)
	u := c.User(t, User{Email: email, Token: token.JSON200.AccessToken, Refresh: token.JSON200.RefreshToken})
	u.ID = u.Me(t).ID
	return u
}

// User returns an account that calls the server with its token.
func (c *Client) User(t testing.TB, u User) *User {
	t.Helper()
	u.ClientWithResponses, u.client = c.plain(t, u.Token, u.onBehalfOf), c
	return &u
}

// Service returns a service with an API key. It acts for a customer, or for itself if onBehalfOf is empty.
func (c *Client) Service(t testing.TB, key, onBehalfOf string) *User {
	t.Helper()
	return c.User(t, User{Token: key, onBehalfOf: onBehalfOf})
}

// Response is the response to a request of Do.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends any request, for requests that the generated client cannot send. The header lines have the form "Name:
// value".
func (c *Client) Do(t testing.TB, method, path, body string, header ...string) Response {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, reader)
	require.NoError(t, err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Add(name, value)
	}
	response, err := c.HTTP.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return Response{Status: response.StatusCode, Header: response.Header, Body: text}
}
