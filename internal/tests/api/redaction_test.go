package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// redact redacts a message.
func redact(t *testing.T, staff *apitest.User, messageID uuid.UUID) client.Message {
	t.Helper()
	redacted, err := staff.RedactMessageWithResponse(t.Context(), messageID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, redacted.StatusCode(), "%s", redacted.Body)
	return *redacted.JSON200
}

// requireNowhere checks that no column of the database contains a text.
func requireNowhere(t *testing.T, s *desk.Desk, text string) {
	t.Helper()
	require.Empty(t, columnsWith(t, s, text), "the text is still there")
}

// columnsWith returns the columns of any type that contain a text.
func columnsWith(t *testing.T, s *desk.Desk, text string) []string {
	t.Helper()
	return strings.Fields(storetest.QueryText(t, s.DatabaseURL, `SELECT coalesce(string_agg(found.at, ' ' ORDER BY found.at), '') FROM (
		SELECT c.table_name || '.' || c.column_name AS at, (xpath('/row/n/text()', query_to_xml(format(
			'SELECT count(*) AS n FROM %I WHERE position(%L IN %s) > 0', c.table_name, $1::text,
			CASE c.data_type WHEN 'bytea' THEN format('encode(%I, ''escape'')', c.column_name) ELSE format('%I::text', c.column_name) END
		), false, true, '')))[1]::text::int AS n
		FROM information_schema.columns AS c
		JOIN information_schema.tables AS t USING (table_schema, table_name)
		WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
	) AS found WHERE found.n > 0`, text))
}

// storeResponses stores the text as a webhook receiver's response to a delivery of each event.
func storeResponses(t *testing.T, c *cast, text string) {
	t.Helper()
	hook := uuid.New()
	for _, sql := range []string{
		"SELECT journal_sequence(1000, false)",
		`INSERT INTO webhooks (id, url, types, payload, secret) VALUES ('@hook', 'https://example.com/', '{}', 'full', 'x')`,
		`INSERT INTO webhook_deliveries (id, webhook_id, position, type)
			SELECT gen_random_uuid(), '@hook', j.position, j.type FROM journal AS j WHERE j.type IN ('message.created', 'note.created')`,
		`INSERT INTO webhook_attempts (delivery_id, number, started_at, duration_ms, status, response)
			SELECT d.id, 1, now(), 1, 200, CASE WHEN m.content LIKE '%stays%' THEN 'This stays.' ELSE '@text' END
			FROM webhook_deliveries AS d JOIN journal AS j USING (position) LEFT JOIN messages AS m ON m.id = j.subject_id
			WHERE d.webhook_id = '@hook' AND j.type <> 'ticket.created'`,
	} {
		storetest.Exec(t, c.DatabaseURL, strings.NewReplacer("@hook", hook.String(), "@text", text).Replace(sql))
	}
}

func TestRedactedMessageIsRemovedEverywhere(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	key, other := "a-key", "another-key"
	say := func(content, key string) client.CreatedMessage {
		said, err := d.owner.CreateMessageWithResponse(t.Context(), d.ticket.ID,
			&plain.CreateMessageParams{IdempotencyKey: &key}, client.CreateMessageRequest{Content: content})
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, said.StatusCode(), "%s", said.Body)
		return *said.JSON201
	}
	kept, said := say("This stays.", other), say("My card is canary-4711.", key)
	note := addNote(t, agent, d.ticket.ID, "The card canary-4711 is blocked.")
	enqueue(t, d.Desk, groqsim.Script{Deltas: []string{"Is canary-", "4711 ", "your card?"}})
	answer := d.owner.ReadAIResponse(t, d.owner.Begin(t, d.ticket.ID).ID)
	require.NotNil(t, answer.Done)
	storeResponses(t, d, "canary-4711")
	before := d.owner.Do(t, http.MethodGet, "/tickets/"+d.ticket.ID.String(), "")

	for _, id := range []uuid.UUID{said.ID, note.ID, answer.Done.Message.ID} {
		tombstone := redact(t, agent, id)
		require.Equal(t, "[redacted]", tombstone.Content)
		require.NotEmpty(t, tombstone.RedactedAt)
		require.Equal(t, tombstone, redact(t, agent, id), "a second time changes nothing")
	}
	requireNowhere(t, d.Desk, "canary")
	require.Equal(t, 1, countRows(t, d.Desk, "webhook_attempts WHERE response = 'This stays.'"))
	require.Equal(t, "[redacted]", say("My card is canary-4711.", key).Content, "the stored response is redacted")
	require.Equal(t, kept.Content, say("This stays.", other).Content)
	requireNowhere(t, d.Desk, "canary")

	again := d.owner.ReadAIResponse(t, answer.Done.AIResponseID)
	require.Equal(t, "[redacted]", again.Text)
	require.Equal(t, "[redacted]", again.Done.Message.Content)
	after := d.owner.Do(t, http.MethodGet, "/tickets/"+d.ticket.ID.String(), "")
	require.NotEqual(t, before.Header.Get("ETag"), after.Header.Get("ETag"))
	d.owner.Say(t, d.ticket.ID, "What now?")
	d.owner.ReadAIResponse(t, d.owner.Begin(t, d.ticket.ID).ID)
	requests := d.Simulator.Requests()
	last := string(requests[len(requests)-1].Body)
	require.NotContains(t, last, "redacted")
	require.Contains(t, last, "This stays.")
	require.Equal(t, fmt.Sprintf("%s t, %s f, %s t", said.ID, note.ID, answer.Done.Message.ID), storetest.QueryText(t, d.DatabaseURL,
		`SELECT string_agg(concat_ws(' ', subject_id, customer_id IS NOT NULL), ', ' ORDER BY id) FROM journal_outbox
		WHERE type = 'message.redacted' AND actor_id = $1`, agent.ID))
}

func TestRedactedNoteIsRemovedFromResponsesToStaff(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	note := addNote(t, agent, d.ticket.ID, "The card canary-4711 is blocked.")
	enqueue(t, d.Desk,
		groqsim.Script{Gates: []groqsim.Gate{{Name: "answer", After: 1}}},
		groqsim.Script{Deltas: []string{"canary-", "4711 is blocked"}, Gates: []groqsim.Gate{{Name: "summary", After: 1}}})
	answer := d.owner.Begin(t, d.ticket.ID)
	requireHeld(t, d.Desk, "answer")
	summary := askAI(t, agent, d.ticket.ID, summarize, http.StatusCreated)
	requireHeld(t, d.Desk, "summary")
	redact(t, agent, note.ID)
	d.Simulator.Release("summary")
	d.Simulator.Release("answer")
	ended := getComplete(t, agent, summary.ID)
	require.Equal(t, client.AIResponseStatusSuperseded, ended.Status)
	require.NotNil(t, d.owner.ReadAIResponse(t, answer.ID).Done, "answers to customers never use notes, so they stay")
	requireNowhere(t, d.Desk, "canary")
}

func TestRedactedTicketIsRemovedEverywhere(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	key := "a-key"
	open := func() client.Ticket {
		opened, err := d.owner.CreateTicketWithResponse(t.Context(), &plain.CreateTicketParams{IdempotencyKey: &key},
			client.CreateTicketRequest{Title: "Card canary-4711", Description: "My card is canary-4711."})
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, opened.StatusCode(), "%s", opened.Body)
		return *opened.JSON201
	}
	ticket := open()
	path := "/tickets/" + ticket.ID.String()
	macro := newMacro(t, agent, client.MacroSettings{Name: "Note", Content: "Seen.", IsNote: true})
	apply := func() client.AppliedMacro {
		applied, err := agent.ApplyMacroWithResponse(t.Context(), ticket.ID, macro.ID, &plain.ApplyMacroParams{IdempotencyKey: &key})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, applied.StatusCode(), "%s", applied.Body)
		return *applied.JSON200
	}
	require.Equal(t, ticket.Title, apply().Ticket.Title)
	enqueue(t, d.Desk, groqsim.Script{Deltas: []string{"About canary-4711"}})
	summary := agent.Do(t, http.MethodPost, path+"/ai-requests", `{"kind":"summarize"}`, jsonType)
	require.Equal(t, http.StatusCreated, summary.Status, "%s", summary.Body)
	summaryID := uuid.MustParse(idOf(t, summary.Body))
	require.Contains(t, string(agent.Do(t, http.MethodGet, "/ai-responses/"+summaryID.String()+"/stream", "").Body), "canary")
	cached := agent.Do(t, http.MethodPost, path+"/ai-requests", `{"kind":"summarize"}`, jsonType, "Idempotency-Key: cached")
	require.Contains(t, string(cached.Body), "canary")
	handed := agent.Do(t, http.MethodPost, path+"/handoff", `{"reason":"sensitive","note":"The card canary-4711"}`, jsonType, "Idempotency-Key: handed")
	require.Equal(t, http.StatusOK, handed.Status, "%s", handed.Body)

	redact := func() apitest.Response {
		r := agent.Do(t, http.MethodPost, path+"/redact", "")
		require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
		return r
	}
	first := redact()
	var tombstone client.Ticket
	require.NoError(t, json.Unmarshal(first.Body, &tombstone))
	require.Equal(t, "[redacted] [redacted]", tombstone.Title+" "+tombstone.Description)
	require.NotEmpty(t, tombstone.RedactedAt)
	require.Empty(t, tombstone.HandoffNote)
	require.Equal(t, string(first.Body), string(redact().Body), "a second time changes nothing")
	requireNowhere(t, d.Desk, "canary")
	require.Equal(t, "[redacted]", open().Title, "the stored response is redacted")
	require.Equal(t, "[redacted]", apply().Ticket.Description)
	require.Equal(t, "Seen.", apply().Message.Content, "the rest stays")
	requireNowhere(t, d.Desk, "canary")
	require.Equal(t, "ticket.redacted "+d.owner.ID.String(), storetest.QueryText(t, d.DatabaseURL,
		"SELECT string_agg(concat_ws(' ', type, customer_id), ', ') FROM journal_outbox WHERE type = 'ticket.redacted'"))

	require.Equal(t, http.StatusOK, agent.Do(t, http.MethodPatch, path, `{"ai_mode":"auto"}`, jsonType).Status)
	d.owner.Say(t, ticket.ID, "What now?")
	require.NotNil(t, d.owner.ReadAIResponse(t, d.owner.Begin(t, ticket.ID).ID).Done)
	requests := d.Simulator.Requests()
	require.NotContains(t, string(requests[len(requests)-1].Body), "redacted")
	refused := d.owner.Do(t, http.MethodPost, path+"/redact", "")
	require.Equal(t, http.StatusForbidden, refused.Status)
	require.Equal(t, http.StatusNotFound, agent.Do(t, http.MethodPost, "/tickets/"+uuid.NewString()+"/redact", "").Status)
}

func TestRedactionReachesStoredResponsesWithADraft(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	require.Equal(t, http.StatusOK, agent.Do(t, http.MethodPatch, "/tickets/"+d.ticket.ID.String(), `{"ai_mode":"draft"}`, jsonType).Status)
	enqueue(t, d.Desk, groqsim.Script{Deltas: []string{"Your card is canary-4711."}})
	draft := readyIn(t, agent.Do(t, http.MethodGet, "/tickets/"+d.ticket.ID.String()+"/ai-response", "").Body)
	published := agent.Do(t, http.MethodPost, "/ai-responses/"+draft.AIResponseID.String()+"/publish", "{}", jsonType, "Idempotency-Key: published")
	require.Equal(t, http.StatusCreated, published.Status, "%s", published.Body)
	rated := d.owner.Do(t, http.MethodPut, "/messages/"+idOf(t, published.Body)+"/feedback", `{"rating":"down","comment":"Not canary-4711!"}`, jsonType)
	require.Equal(t, http.StatusOK, rated.Status, "%s", rated.Body)
	redact(t, agent, uuid.MustParse(idOf(t, published.Body)))
	require.NotContains(t, storetest.QueryText(t, d.DatabaseURL, `SELECT concat(
		(SELECT string_agg(convert_from(body, 'UTF8'), ' ') FROM idempotency_keys), (SELECT string_agg(comment, ' ') FROM message_feedback))`), "canary")
}

func TestRedactionCancelsARunningAnswer(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	said := d.owner.Say(t, d.ticket.ID, "My card is canary-4711.")
	enqueue(t, d.Desk, groqsim.Script{
		Deltas: []string{"Is canary-", "4711 ", "your card?"}, Gates: []groqsim.Gate{{Name: "redacted", After: 2}},
	})
	response := d.owner.Begin(t, d.ticket.ID)
	stream := d.owner.OpenAIResponse(t, response.ID, "")
	stream.RequireOK()
	for {
		event, more := stream.Next()
		require.True(t, more)
		if strings.Contains(event.Data, "4711") {
			break
		}
	}
	redact(t, agent, said.ID)
	d.Simulator.Release("redacted")
	var last string
	for event, more := stream.Next(); more; event, more = stream.Next() {
		last = event.Data
	}
	require.Contains(t, last, `"superseded"`)
	require.Equal(t, "superseded", string(d.owner.AIResponse(t, response.ID).Status))
	requireNowhere(t, d.Desk, "canary")
	require.NotContains(t, d.owner.ReadAIResponse(t, response.ID).Text, "canary")
}

func TestOnlyStaffRedact(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	said := d.owner.Say(t, d.ticket.ID, "Mine")
	refused, err := d.owner.RedactMessageWithResponse(t.Context(), said.ID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, refused.StatusCode())
	unknown, err := d.admin.RedactMessageWithResponse(t.Context(), d.ticket.ID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, unknown.StatusCode())
	require.Equal(t, "Mine", d.owner.Messages(t, d.ticket.ID)[0].Content)
}
