package apitest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
)

// User is a logged-in account.
type User struct {
	*plain.ClientWithResponses

	ID      uuid.UUID
	Email   string
	Role    sqlc.UserRole
	Token   string
	Refresh string

	// onBehalfOf is the customer that a service acts for.
	onBehalfOf string
	client     *Client
}

// With returns the account with an access token, at this or another server.
func (u *User) With(t testing.TB, c *Client, token string) *User {
	t.Helper()
	return c.User(t, User{ID: u.ID, Email: u.Email, Token: token})
}

// NewAPIKey creates an API key, as an administrator.
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

// AllScopes are all scopes of API keys.
var AllScopes = []client.Scope{
	client.ScopeTicketsRead, client.ScopeTicketsWrite, client.ScopeAI, client.ScopeUsers, client.ScopeEvents, client.ScopeWebhooks,
	client.ScopeOnBehalf,
}

// Me returns the account.
func (u *User) Me(t testing.TB) client.User {
	t.Helper()
	me, err := u.GetMeWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, me.StatusCode(), "%s", me.Body)
	return *me.JSON200
}

// Sessions returns the account's sessions, newest first.
func (u *User) Sessions(t testing.TB) []client.Session {
	t.Helper()
	got, err := u.ListSessionsWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	return *got.JSON200
}

// Session returns the id of the access token's session.
func (u *User) Session(t testing.TB) uuid.UUID {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(u.Token, ".")[1])
	require.NoError(t, err)
	var claims struct {
		Session uuid.UUID `json:"sid"`
	}
	require.NoError(t, json.Unmarshal(payload, &claims))
	return claims.Session
}

// Bearer returns the account's Authorization header.
func (u *User) Bearer() string { return "Authorization: Bearer " + u.Token }

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
	m := created.JSON201
	return client.Message{
		ID: m.ID, TicketID: m.TicketID, Content: m.Content, IsAI: m.IsAI, Author: m.Author, CreatedAt: m.CreatedAt,
	}
}

// SetStatus changes a ticket's status.
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

// Do sends a request with the account's token.
func (u *User) Do(t testing.TB, method, path, body string, header ...string) Response {
	t.Helper()
	if u.onBehalfOf != "" {
		header = append(header, "X-On-Behalf-Of: "+u.onBehalfOf)
	}
	return u.client.Do(t, method, path, body, append(header, u.Bearer())...)
}
