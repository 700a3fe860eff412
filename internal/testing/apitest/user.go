package apitest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
)

// Password is the password of accounts made for tests.
const Password = "correct horse battery"

// User is an account that is logged in.
type User struct {
	*plain.ClientWithResponses

	ID      uuid.UUID
	Email   string
	Token   string
	Refresh string

	// onBehalfOf is the customer that a service acts for.
	onBehalfOf string
	server     *Server
}

func newEmail() string {
	return "user-" + uuid.NewString() + "@example.com"
}

// Customer makes a customer's account and logs it in.
func (s *Server) Customer(t testing.TB) *User {
	t.Helper()
	return s.Staff(t, sqlc.UserRoleUser)
}

// hashed keeps the hash of Password, which takes most of the time that a small test has.
var hashed struct {
	sync.Mutex
	password string
}

// addAccount makes an account of the role, with Password, and returns its e-mail address.
func (s *Server) addAccount(t testing.TB, role sqlc.UserRole) string {
	t.Helper()
	email := newEmail()
	hashed.Lock()
	defer hashed.Unlock()
	if hashed.password == "" {
		user, err := s.Accounts.CreateAccount(t.Context(), nil, email, Password, role)
		require.NoError(t, err)
		hashed.password = user.PasswordHash
		return email
	}
	_, err := s.Store.CreateUser(t.Context(), sqlc.CreateUserParams{
		ID: uuid.Must(uuid.NewV7()), Email: email, PasswordHash: hashed.password, Role: role,
	})
	require.NoError(t, err)
	return email
}

// LogIn logs an account in.
func (s *Server) LogIn(t testing.TB, email, password string) *User {
	t.Helper()
	token, err := s.Anonymous.LogInWithResponse(t.Context(), nil, client.LogInRequest{Email: email, Password: password})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, token.StatusCode(), "%s", token.Body)
	u := &User{Email: email, Token: token.JSON200.AccessToken, Refresh: token.JSON200.RefreshToken, server: s}
	u.ClientWithResponses = s.client(t, u.Token)
	me, err := u.GetMeWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, me.StatusCode(), "%s", me.Body)
	u.ID = me.JSON200.ID
	return u
}

// With returns the account on a server, which may be another one, with an access token.
func (u *User) With(t testing.TB, s *Server, token string) *User {
	t.Helper()
	return &User{ClientWithResponses: s.client(t, token), ID: u.ID, Email: u.Email, Token: token, server: s}
}

// NewAPIKey makes an API key, as an administrator.
func (u *User) NewAPIKey(t testing.TB, request client.CreateAPIKeyRequest) client.CreatedAPIKey {
	t.Helper()
	if request.Name == "" {
		request.Name = "A service"
	}
	if request.Scopes == nil {
		request.Scopes = AllScopes
	}
	created, err := u.CreateAPIKeyWithResponse(t.Context(), nil, request)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	return *created.JSON201
}

// AllScopes are all that an API key can have.
var AllScopes = []client.Scope{
	client.ScopeTicketsRead, client.ScopeTicketsWrite, client.ScopeAI, client.ScopeUsers, client.ScopeEvents, client.ScopeWebhooks,
	client.ScopeOnBehalf,
}

// Service is a service with an API key that acts for a customer, or for itself if that is empty.
func (s *Server) Service(t testing.TB, key, onBehalfOf string) *User {
	t.Helper()
	c, err := plain.NewClientWithResponses(s.URL, plain.WithHTTPClient(s.HTTP),
		plain.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+key)
			if onBehalfOf != "" {
				r.Header.Set("X-On-Behalf-Of", onBehalfOf)
			}
			return nil
		}))
	require.NoError(t, err)
	return &User{ClientWithResponses: c, Token: key, onBehalfOf: onBehalfOf, server: s}
}

// Me asks who the account is.
func (u *User) Me(t testing.TB) client.User {
	t.Helper()
	me, err := u.GetMeWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, me.StatusCode(), "%s", me.Body)
	return *me.JSON200
}

// Sessions are the account's sessions, newest first.
func (u *User) Sessions(t testing.TB) []client.Session {
	t.Helper()
	got, err := u.ListSessionsWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	return *got.JSON200
}

// NewSession logs the account in once more, and returns that session's id.
func (u *User) NewSession(t testing.TB) uuid.UUID {
	t.Helper()
	for _, session := range u.server.LogIn(t, u.Email, Password).Sessions(t) {
		if session.Current {
			return session.ID
		}
	}
	require.FailNow(t, "no session is the current one")
	return uuid.Nil
}

// NewTicket opens a ticket.
func (u *User) NewTicket(t testing.TB) client.Ticket {
	t.Helper()
	created, err := u.CreateTicketWithResponse(t.Context(), nil, client.CreateTicketRequest{
		Title: "Invoice 4711 is wrong", Description: "I was charged twice for October.",
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	return *created.JSON201
}

// Say adds a message to a ticket.
func (u *User) Say(t testing.TB, ticketID uuid.UUID, content string) client.Message {
	t.Helper()
	created, err := u.CreateMessageWithResponse(t.Context(), ticketID, nil, client.CreateMessageRequest{Content: content})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	return *created.JSON201
}

// SetStatus moves a ticket to a status.
func (u *User) SetStatus(t testing.TB, ticketID uuid.UUID, status client.TicketStatus) {
	t.Helper()
	updated, err := u.UpdateTicketWithResponse(t.Context(), ticketID, nil, client.UpdateTicketRequest{Status: status})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, updated.StatusCode(), "%s", updated.Body)
}

// Messages returns a ticket's messages, oldest first.
func (u *User) Messages(t testing.TB, ticketID uuid.UUID) []client.Message {
	t.Helper()
	got, err := u.GetTicketWithResponse(t.Context(), ticketID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	return got.JSON200.Messages
}

// Response is what a request of Do was answered with.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request as it is written, for what the generated client cannot send. The header lines have the form
// "Name: value".
func (s *Server) Do(t testing.TB, method, path, body string, header ...string) Response {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, reader)
	require.NoError(t, err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Add(name, value)
	}
	response, err := s.HTTP.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return Response{Status: response.StatusCode, Header: response.Header, Body: text}
}

// Do sends a request with the account's token.
func (u *User) Do(t testing.TB, method, path, body string, header ...string) Response {
	t.Helper()
	if u.onBehalfOf != "" {
		header = append(header, "X-On-Behalf-Of: "+u.onBehalfOf)
	}
	return u.server.Do(t, method, path, body, append(header, "Authorization: Bearer "+u.Token)...)
}
