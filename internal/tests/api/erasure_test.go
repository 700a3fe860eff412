package api_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// erase erases everything of a customer.
func erase(t *testing.T, admin *apitest.User, id uuid.UUID) int {
	t.Helper()
	erased, err := admin.DeleteUserDataWithResponse(t.Context(), id)
	require.NoError(t, err)
	return erased.StatusCode()
}

func TestErasureLeavesNothingOfACustomer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	key := d.admin.NewAPIKey(t, client.CreateAPIKeyRequest{}).Key
	customer := d.Service(t, key, "canary-customer")
	me := customer.Me(t)
	named := d.Service(t, key, "").Do(t, http.MethodPut, "/users/"+me.ID.String()+"/customer", `{"display_name":"canary name"}`, jsonType)
	require.Equal(t, http.StatusOK, named.Status, "%s", named.Body)
	once := "a-key"
	created, err := customer.CreateTicketWithResponse(t.Context(), &plain.CreateTicketParams{IdempotencyKey: &once},
		client.CreateTicketRequest{Title: "A canary title", Description: "A canary description"})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	ticketID := created.JSON201.ID
	said, err := customer.CreateMessageWithResponse(t.Context(), ticketID, &plain.CreateMessageParams{IdempotencyKey: &once},
		client.CreateMessageRequest{Content: "A canary message"})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, said.StatusCode(), "%s", said.Body)
	enqueue(t, d.Server, groqsim.Script{Text: "A canary answer"})
	answer := customer.ReadAIResponse(t, customer.Begin(t, ticketID).ID)
	rated := customer.Do(t, http.MethodPut, "/messages/"+answer.Done.Message.ID.String()+"/feedback",
		`{"rating":"up","comment":"A canary comment"}`, jsonType)
	require.Equal(t, http.StatusOK, rated.Status, "%s", rated.Body)
	addNote(t, agent, ticketID, "A canary note")
	agent.Say(t, ticketID, "A canary reply")
	fields := agent.Do(t, http.MethodPatch, "/tickets/"+ticketID.String(),
		`{"external_id":"canary-1","tags":["canary"],"custom_fields":{"order":"canary"}}`, jsonType)
	require.Equal(t, http.StatusOK, fields.Status, "%s", fields.Body)
	entries := storetest.QueryInt(t, d.DatabaseURL, "SELECT count(*) FROM journal_outbox")

	require.Equal(t, http.StatusNoContent, erase(t, d.admin, me.ID))
	requireNowhere(t, d.Server, "canary")
	require.Equal(t, entries+1, storetest.QueryInt(t, d.DatabaseURL, "SELECT count(*) FROM journal_outbox"), "entries stay")
	require.Equal(t, 1, countRows(t, d.Server, "journal_outbox WHERE type = 'user.deleted' AND actor_id = $1 AND subject_id = $2",
		d.admin.ID, me.ID))
	require.NotEqual(t, me.ID, customer.Me(t).ID, "who comes back is somebody new")
	require.Empty(t, d.customer.Messages(t, d.ticket.ID), "other customers keep theirs")
	require.Equal(t, http.StatusNoContent, erase(t, d.admin, me.ID))
}

func TestErasureClosesTheAccount(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	require.Equal(t, http.StatusForbidden, erase(t, agent, d.customer.ID))
	for name, id := range map[string]uuid.UUID{
		"staff": agent.ID, "a service": d.service.Me(t).ID, "nobody": uuid.Must(uuid.NewV7()),
	} {
		require.Equal(t, http.StatusNotFound, erase(t, d.admin, id), name)
	}
	require.Equal(t, http.StatusNoContent, erase(t, d.admin, d.customer.ID))
	got, err := d.customer.GetMeWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, got.StatusCode())
	in, err := d.Anonymous.LogInWithResponse(t.Context(), nil, client.LogInRequest{Email: d.customer.Email, Password: apitest.Password})
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, in.StatusCode())
	requireNowhere(t, d.Server, d.customer.Email)
}

func TestErasureGoesOnWhereItWasInterrupted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	storetest.Exec(t, d.DatabaseURL, `INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
		SELECT gen_random_uuid(), $1, 'customer', $2, 'canary ' || i, now() + i * interval '1 second'
		FROM generate_series(1, 450) AS i`, d.ticket.ID, d.customer.ID)
	// What a server does that ends after the first batch.
	begun, err := d.Store.BeginErasure(t.Context(), sqlc.BeginErasureParams{
		ID: d.customer.ID, ActorKind: sqlc.ActorKindAgent, ActorID: d.admin.ID,
	})
	require.NoError(t, err)
	erased, err := d.Store.EraseMessages(t.Context(), sqlc.EraseMessagesParams{UserID: begun, MaxRows: 200})
	require.NoError(t, err)
	require.EqualValues(t, 200, erased)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, d.Accounts.FinishErasures(ended))

	require.NoError(t, d.Accounts.FinishErasures(t.Context()))
	requireNowhere(t, d.Server, "canary")
	pending := fmt.Sprintf("users WHERE id = '%s' AND erasing_at IS NOT NULL", d.customer.ID)
	require.Equal(t, 1, countRows(t, d.Server, pending), "what was let in before may still come")
	storetest.Exec(t, d.DatabaseURL, "UPDATE users SET erasing_at = $1 WHERE erasing_at IS NOT NULL", time.Now().Add(-time.Hour))
	require.NoError(t, d.Accounts.FinishErasures(t.Context()))
	require.Zero(t, countRows(t, d.Server, pending))
}
