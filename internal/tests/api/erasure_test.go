package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// erase erases a customer.
func erase(t *testing.T, admin *apitest.User, id uuid.UUID) int {
	t.Helper()
	erased, err := admin.DeleteUserDataWithResponse(t.Context(), id)
	require.NoError(t, err)
	return erased.StatusCode()
}

// erasable is a word that search leaves unchanged in every language, and short enough to be one token of the simulator, so
// that no two events of an AI response share it.
const erasable = "canary47"

// wordless lists the text columns without words by or about customers, with their contents.
var wordless = map[string]string{
	"users.password_hash":          "a hash",
	"sessions.token_hash":          "a hash",
	"sessions.parent_hash":         "a hash",
	"attempts.key":                 "an HMAC",
	"api_keys.name":                "staff's",
	"api_keys.key_hash":            "a hash",
	"api_keys.scopes":              "fixed words",
	"teams.name":                   "staff's",
	"ai_responses.model":           "the server's",
	"ai_responses.finish_reason":   "fixed words",
	"ai_responses.error_code":      "fixed words",
	"idempotency_keys.id":          "an HMAC",
	"idempotency_keys.fingerprint": "an HMAC",
	"idempotency_keys.headers":     "ids and versions",
	"journal_outbox.type":          "fixed words",
	"journal.type":                 "fixed words",
	"river_job.args":               "ids",
	"river_job.attempted_by":       "servers' names",
	"river_job.errors":             "the server's",
	"river_job.kind":               "fixed words",
	"river_job.metadata":           "River's",
	"river_job.queue":              "fixed words",
	"river_job.tags":               "River's",
	"river_job.unique_key":         "a hash",
	"river_leader.leader_id":       "a server's name",
	"river_leader.name":            "fixed words",
	"river_queue.name":             "fixed words",
	"river_queue.metadata":         "River's",
	"river_notification.payload":   "River's",
	"river_notification.topic":     "fixed words",
	"macros.name":                  "staff's",
	"macros.content":               "staff's",
	"macros.add_tags":              "staff's",
	"prompts.company":              "staff's",
	"prompts.product":              "staff's",
	"prompts.language":             "staff's",
	"prompts.rules":                "staff's",
	"prompts.instructions":         "staff's",
	"search_index.language":        "the server's",
	"sla.targets":                  "numbers",
	"tickets.sla_noted":            "fixed words",
	"webhooks.url":                 "staff's",
	"webhooks.description":         "staff's",
	"webhooks.types":               "fixed words",
	"webhooks.secret":              "sealed",
	"webhooks.previous_secret":     "sealed",
	"webhooks.disabled_reason":     "fixed words",
	"webhook_deliveries.type":      "fixed words",
	"webhook_attempts.error":       "fixed words",
}

// A new text column must be erased, or listed as wordless.
func TestErasureLeavesNothingOfACustomer(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	key := d.admin.NewAPIKey(t, client.CreateAPIKeyRequest{}).Key
	customer := d.Service(t, key, erasable)
	me := customer.Me(t)
	fillWithCanaries(t, d, agent, d.Service(t, key, ""), customer)

	filled := columnsWith(t, d.Desk, erasable)
	for _, column := range textColumns(t, d.Desk) {
		_, named := wordless[column]
		require.NotEqual(t, slices.Contains(filled, column), named, "%s: must be erased, or listed as wordless", column)
	}
	entries := storetest.QueryInt(t, d.DatabaseURL, "SELECT count(*) FROM journal_outbox")
	require.Equal(t, http.StatusNoContent, erase(t, d.admin, me.ID))
	require.NoError(t, d.Search.Index(t.Context()))
	requireNowhere(t, d.Desk, erasable)
	require.Equal(t, entries+1, storetest.QueryInt(t, d.DatabaseURL, "SELECT count(*) FROM journal_outbox"), "entries stay")
	require.Equal(t, 1, countRows(t, d.Desk, "journal_outbox WHERE type = 'user.deleted' AND actor_id = $1 AND subject_id = $2",
		d.admin.ID, me.ID))
	require.NotEqual(t, me.ID, customer.Me(t).ID, "a customer who returns gets a new account")
	require.Empty(t, d.owner.Messages(t, d.ticket.ID), "other customers keep their messages")
	require.Equal(t, http.StatusNoContent, erase(t, d.admin, me.ID))
}

// textColumns returns the columns of the database that hold text in any form.
func textColumns(t *testing.T, s *desk.Desk) []string {
	t.Helper()
	return strings.Fields(storetest.QueryText(t, s.DatabaseURL, `SELECT string_agg(c.table_name || '.' || c.column_name, ' ')
		FROM information_schema.columns AS c
		JOIN information_schema.tables AS t USING (table_schema, table_name)
		WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.table_name !~ '^journal_[0-9]+$'
			AND (c.udt_name IN ('text', 'varchar', 'json', 'jsonb', 'bytea', 'tsvector', 'citext', 'xml') OR c.udt_name IN ('_text', '_varchar', '_jsonb'))`))
}

// fillWithCanaries makes a customer, staff and the AI write the word wherever they can.
func fillWithCanaries(t *testing.T, d *cast, agent, service, customer *apitest.User) {
	t.Helper()
	me := customer.Me(t)
	named := service.Do(t, http.MethodPut, "/users/"+me.ID.String()+"/customer", `{"display_name":"`+erasable+`"}`, jsonType)
	require.Equal(t, http.StatusOK, named.Status, "%s", named.Body)
	once := "a-key"
	created, err := customer.CreateTicketWithResponse(t.Context(), &plain.CreateTicketParams{IdempotencyKey: &once}, client.CreateTicketRequest{
		Title: erasable, Description: erasable, ExternalID: erasable, Tags: client.Tags{erasable}, CustomFields: map[string]any{erasable: erasable},
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	id := created.JSON201.ID
	said, err := customer.CreateMessageWithResponse(t.Context(), id, &plain.CreateMessageParams{IdempotencyKey: &once},
		client.CreateMessageRequest{Content: erasable})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, said.StatusCode(), "%s", said.Body)
	enqueue(t, d.Desk, groqsim.Script{Text: erasable})
	answer := customer.ReadAIResponse(t, customer.Begin(t, id).ID)
	rated := customer.Do(t, http.MethodPut, "/messages/"+answer.Done.Message.ID.String()+"/feedback",
		`{"rating":"up","comment":"`+erasable+`"}`, jsonType)
	require.Equal(t, http.StatusOK, rated.Status, "%s", rated.Body)
	addNote(t, agent, id, erasable)
	agent.Say(t, id, erasable)
	enqueue(t, d.Desk, groqsim.Script{Text: erasable})
	askAI(t, agent, id, summarize, http.StatusCreated)
	handed := agent.Do(t, http.MethodPost, "/tickets/"+id.String()+"/handoff", `{"reason":"other","note":"`+erasable+`"}`, jsonType)
	require.Equal(t, http.StatusOK, handed.Status, "%s", handed.Body)
	require.NoError(t, d.Search.Index(t.Context()))

	// Texts that come from other servers or from background work.
	for _, sql := range []string{
		"UPDATE users SET email = '@erasable@example.com', display_name = '@erasable' WHERE id = '@me'",
		`INSERT INTO sessions (id, user_id, user_agent, client_network, expires_at, token_hash)
			VALUES (gen_random_uuid(), '@me', '@erasable', '@erasable', now() + interval '1 day', sha256('x'))`,
		"UPDATE messages SET client_id = '@erasable' WHERE ticket_id = '@ticket' AND author = 'customer'",
		"UPDATE ai_responses SET content = '@erasable' WHERE ticket_id = '@ticket' AND kind = 'summarize'",
		`UPDATE journal_outbox SET data = jsonb_build_object(CASE type WHEN 'ticket.tagged' THEN 'added' ELSE 'author' END, '@erasable')
			WHERE type = 'ticket.tagged' OR id = (
				SELECT max(id) FROM journal_outbox WHERE type = 'message.created' AND customer_id = '@me')`,
		"SELECT journal_sequence(1000, false)",
		`INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, customer_id, data)
			VALUES ('ticket.updated', 'customer', '@me', '@ticket', '@me', '{"from": "@erasable"}'),
				('user.updated', 'customer', '@me', NULL, '@me', '{"from": "@erasable"}')`,
		`INSERT INTO webhooks (id, url, types, payload, secret) VALUES ('@ticket', 'https://example.com/', '{}', 'full', 'x')`,
		`INSERT INTO webhook_deliveries (id, webhook_id, position, type)
			SELECT gen_random_uuid(), '@ticket', j.position, j.type FROM journal AS j WHERE j.ticket_id = '@ticket' OR j.customer_id = '@me'
			ON CONFLICT DO NOTHING`,
		`INSERT INTO webhook_attempts (delivery_id, number, started_at, duration_ms, status, response)
			SELECT d.id, 99, now(), 1, 200, '@erasable' FROM webhook_deliveries AS d JOIN journal AS j USING (position)
			WHERE d.webhook_id = '@ticket' AND (j.ticket_id = '@ticket' OR j.customer_id = '@me')`,
	} {
		storetest.Exec(t, d.DatabaseURL,
			strings.NewReplacer("@erasable", erasable, "@me", me.ID.String(), "@ticket", id.String()).Replace(sql))
	}
}

func TestErasureClosesTheAccount(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	require.Equal(t, http.StatusForbidden, erase(t, agent, d.owner.ID))
	for name, id := range map[string]uuid.UUID{
		"staff": agent.ID, "a service": d.Service(t, d.apiKey(t, auth.RoleUser, allScopes...).key, "").Me(t).ID, "nobody": uuid.Must(uuid.NewV7()),
	} {
		require.Equal(t, http.StatusNotFound, erase(t, d.admin, id), name)
	}
	require.Equal(t, http.StatusNoContent, erase(t, d.admin, d.owner.ID))
	got, err := d.owner.GetMeWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, got.StatusCode())
	in, err := d.Anonymous.LogInWithResponse(t.Context(), nil, client.LogInRequest{Email: d.owner.Email, Password: apitest.Password})
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, in.StatusCode())
	requireNowhere(t, d.Desk, d.owner.Email)
}

func TestErasureResumesAfterAnInterruption(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	storetest.Exec(t, d.DatabaseURL, `INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
		SELECT gen_random_uuid(), $1, 'customer', $2, 'erasable ' || i, now() + i * interval '1 second'
		FROM generate_series(1, 450) AS i`, d.ticket.ID, d.owner.ID)
	// The work of a server that stops after the first batch.
	begun, err := d.Store.BeginErasure(t.Context(), sqlc.BeginErasureParams{
		ID: d.owner.ID, ActorKind: sqlc.ActorKindAgent, ActorID: d.admin.ID,
	})
	require.NoError(t, err)
	erased, err := d.Store.EraseMessages(t.Context(), sqlc.EraseMessagesParams{UserID: begun, MaxRows: 200})
	require.NoError(t, err)
	require.EqualValues(t, 200, erased)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, d.Accounts.FinishErasures(ended))

	require.NoError(t, d.Accounts.FinishErasures(t.Context()))
	requireNowhere(t, d.Desk, "erasable")
	pending := fmt.Sprintf("users WHERE id = '%s' AND erasing_at IS NOT NULL", d.owner.ID)
	require.Equal(t, 1, countRows(t, d.Desk, pending), "requests that began before may still write")
	storetest.Exec(t, d.DatabaseURL, "UPDATE users SET erasing_at = $1 WHERE erasing_at IS NOT NULL", time.Now().Add(-time.Hour))
	require.NoError(t, d.Accounts.FinishErasures(t.Context()))
	require.Zero(t, countRows(t, d.Desk, pending))
}
