package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client/plain"
)

func ownedWebhook(t *testing.T, c *cast) string {
	t.Helper()
	created := c.Do(t, http.MethodPost, "/webhooks", `{"url":"https://shop.example/hooks","description":"Secret description."}`,
		"Content-Type: application/json", c.admin.Bearer())
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	return idOf(t, created.Body)
}

// idOf returns the id in a response body.
func idOf(t *testing.T, body []byte) string {
	t.Helper()
	var shown struct{ ID string }
	require.NoError(t, json.Unmarshal(body, &shown))
	return shown.ID
}

func ownedTicket(t *testing.T, c *cast) string {
	t.Helper()
	created := c.Do(t, http.MethodPost, "/tickets", `{"title":"Secret title","description":"Secret description."}`,
		"Content-Type: application/json", c.owner.Bearer())
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	id := strings.TrimPrefix(created.Header.Get("Location"), "/tickets/")
	said := c.Do(t, http.MethodPost, "/tickets/"+id+"/messages", `{"content":"Secret message."}`,
		"Content-Type: application/json", c.owner.Bearer())
	require.Equal(t, http.StatusCreated, said.Status, "%s", said.Body)
	require.NoError(t, c.Search.Index(t.Context()))
	return id
}

// ownedTriage creates a triage in a ticket of the owner.
func ownedTriage(t *testing.T, c *cast) string {
	t.Helper()
	asked := c.Do(t, http.MethodPost, "/tickets/"+ownedTicket(t, c)+"/ai-requests", `{"kind":"triage"}`, jsonType, c.agent.Bearer())
	require.Equal(t, http.StatusCreated, asked.Status, "%s", asked.Body)
	id := strings.TrimPrefix(asked.Header.Get("Location"), "/ai-responses/")
	require.Equal(t, http.StatusOK, c.Do(t, http.MethodGet, "/ai-responses/"+id+"/stream", "", c.agent.Bearer()).Status)
	return id
}

// ownedAnswer creates an AI answer in a ticket of the owner.
func ownedAnswer(t *testing.T, c *cast) plain.DoneEvent {
	t.Helper()
	ticketID := ownedTicket(t, c)
	stream := c.Do(t, http.MethodGet, "/tickets/"+ticketID+"/ai-response", "", c.owner.Bearer())
	require.Equal(t, http.StatusOK, stream.Status, "%s", stream.Body)
	_, data, found := strings.Cut(string(stream.Body), "event: done\ndata: ")
	require.True(t, found, "%s", stream.Body)
	var done plain.DoneEvent
	require.NoError(t, json.Unmarshal([]byte(data), &done))
	return done
}

// ownedDraft creates a draft that waits for review, in a ticket of the owner.
func ownedDraft(t *testing.T, c *cast) string {
	t.Helper()
	ticketID := ownedTicket(t, c)
	mode := c.Do(t, http.MethodPatch, "/tickets/"+ticketID, `{"ai_mode":"draft"}`, jsonType, c.agent.Bearer())
	require.Equal(t, http.StatusOK, mode.Status, "%s", mode.Body)
	stream := c.Do(t, http.MethodGet, "/tickets/"+ticketID+"/ai-response", "", c.agent.Bearer())
	require.Equal(t, http.StatusOK, stream.Status, "%s", stream.Body)
	return readyIn(t, stream.Body).AIResponseID.String()
}

// readyIn returns the event that ends a draft's stream.
func readyIn(t *testing.T, stream []byte) plain.ReadyEvent {
	t.Helper()
	_, data, found := strings.Cut(string(stream), "event: ready\ndata: ")
	require.True(t, found, "%s", stream)
	var ready plain.ReadyEvent
	require.NoError(t, json.Unmarshal([]byte(data), &ready))
	return ready
}

func ownedTeam(t *testing.T, c *cast) string {
	t.Helper()
	created := c.Do(t, http.MethodPost, "/teams", `{"name":"Secret team"}`, jsonType, c.admin.Bearer())
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	return idOf(t, created.Body)
}

func ownedMacro(t *testing.T, c *cast) string {
	t.Helper()
	created := c.Do(t, http.MethodPost, "/macros", `{"name":"Secret `+uuid.NewString()+`","content":"A secret reply"}`, jsonType, c.admin.Bearer())
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	return idOf(t, created.Body)
}

func ownedPrompt(t *testing.T, c *cast) string {
	t.Helper()
	created := c.Do(t, http.MethodPost, "/prompts", `{"company":"Secret Ltd"}`, jsonType, c.admin.Bearer())
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	return idOf(t, created.Body)
}

func ownedDelivery(t *testing.T, c *cast) string {
	t.Helper()
	tested := c.Do(t, http.MethodPost, "/webhooks/"+ownedWebhook(t, c)+"/test", "", c.admin.Bearer())
	require.Equal(t, http.StatusAccepted, tested.Status, "%s", tested.Body)
	return idOf(t, tested.Body)
}

// ownedRatedMessage creates an answer that the owner has rated.
func ownedRatedMessage(t *testing.T, c *cast) string {
	t.Helper()
	id := ownedAnswer(t, c).Message.ID.String()
	rated := c.Do(t, http.MethodPut, "/messages/"+id+"/feedback", `{"rating":"up","comment":"Secret comment."}`, jsonType, c.owner.Bearer())
	require.Equal(t, http.StatusOK, rated.Status, "%s", rated.Body)
	return id
}
