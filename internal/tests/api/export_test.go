package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

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

func exportPath(id uuid.UUID) string { return "/users/" + id.String() + "/export" }

// exportOf returns the lines of a customer's export, which must be complete.
func exportOf(t *testing.T, admin *apitest.User, id uuid.UUID) []client.ExportLine {
	t.Helper()
	got := admin.Do(t, http.MethodGet, exportPath(id), "")
	require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
	require.Equal(t, "application/x-ndjson", got.Header.Get("Content-Type"))
	require.Equal(t, "no-store, no-transform", got.Header.Get("Cache-Control"))
	lines := linesOf(t, got.Body)
	require.Equal(t, client.ExportLineType("end"), lines[len(lines)-1].Type)
	return lines
}

func linesOf(t *testing.T, body []byte) (lines []client.ExportLine) {
	t.Helper()
	for text := range bytes.Lines(body) {
		var line client.ExportLine
		require.NoError(t, json.Unmarshal(text, &line), "%s", text)
		lines = append(lines, line)
	}
	require.NotEmpty(t, lines)
	return lines
}

// each returns the lines' values of one kind.
func each[T any](lines []client.ExportLine, of func(client.ExportLine) *T) (things []T) {
	for _, line := range lines {
		if thing := of(line); thing != nil {
			things = append(things, *thing)
		}
	}
	return things
}

func TestExportHasEverythingThatTheCustomerSees(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.agent
	customer := d.Customer(t)
	sessions := customer.Sessions(t)
	var messages []client.Message
	var responses []client.AIResponse
	var ratings []client.MessageFeedback
	for range 2 {
		opened := customer.NewTicket(t)
		customer.Say(t, opened.ID, "What about November?")
		done := customer.ReadAIResponse(t, customer.Begin(t, opened.ID).ID).Done
		rated, err := customer.PutMessageFeedbackWithResponse(t.Context(), done.Message.ID,
			client.PutMessageFeedbackRequest{Rating: client.RatingDown, Comment: "It does not say when."})
		require.NoError(t, err)
		ratings = append(ratings, *rated.JSON200)
		agent.Say(t, opened.ID, "On Monday.")
		addNote(t, agent, opened.ID, "A note")
		require.NoError(t, d.Simulator.Enqueue(groqsim.Script{Text: "A summary"}))
		getComplete(t, agent, askAI(t, agent, opened.ID, summarize, http.StatusCreated).ID)

		messages = append(messages, customer.Messages(t, opened.ID)...)
		listed, err := customer.ListAIResponsesWithResponse(t.Context(), opened.ID, nil)
		require.NoError(t, err)
		responses = append(responses, *listed.JSON200...)
	}
	listed, err := customer.ListTicketsWithResponse(t.Context(), nil)
	require.NoError(t, err)
	tickets := slices.Clone(*listed.JSON200)
	slices.Reverse(tickets)
	lines := exportOf(t, d.admin, customer.ID)

	require.Equal(t, []client.User{customer.Me(t)}, each(lines, func(l client.ExportLine) *client.User { return l.User }))
	sessions[0].Current = false
	require.Equal(t, sessions, each(lines, func(l client.ExportLine) *client.Session { return l.Session }))
	require.Equal(t, tickets, each(lines, func(l client.ExportLine) *client.Ticket { return l.Ticket }))
	require.Equal(t, messages, each(lines, func(l client.ExportLine) *client.Message { return l.Message }))
	require.Len(t, messages, 6)
	require.Equal(t, ratings, each(lines, func(l client.ExportLine) *client.MessageFeedback { return l.Feedback }))
	require.Equal(t, responses, each(lines, func(l client.ExportLine) *client.AIResponse { return l.AIResponse }))
	require.Equal(t, []client.ExportCounts{{Sessions: 1, Tickets: 2, Messages: 6, Feedback: 2, AIResponses: 2}},
		each(lines, func(l client.ExportLine) *client.ExportCounts { return l.Counts }))
}

// notExported lists the columns with words by or about a customer that an export leaves out, with the reason.
var notExported = map[string]string{
	"service_customers.external_id":  "only staff and the service see it",
	"service_customers.display_name": "only staff and the service see it",
	"tickets.tags":                   "only staff see them",
	"tickets.custom_fields":          "only staff see them",
	"tickets.external_id":            "only staff see it",
	"tickets.handoff_note":           "only staff see it",
	"ticket_tags.tag":                "only staff see them",
	"ai_responses.content":           "only staff see it: what customers see is a message",
	"messages.client_id":             "an id that the customer's program has made",
	"ai_response_events.content":     "pieces of a message",
	"idempotency_keys.body":          "a copy, kept for a day",
	"search_documents.words":         "a copy",
	"journal.data":                   "facts about what is exported",
	"journal_outbox.data":            "facts about what is exported",
	"webhook_attempts.response":      "other people's words",
}

// A new text column must be exported, or listed in notExported.
func TestExportLeavesOutNoColumn(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.agent
	key := d.admin.NewAPIKey(t, client.CreateAPIKeyRequest{}).Key
	customer := d.Service(t, key, erasable)
	me := customer.Me(t)
	fillWithCanaries(t, d, agent, d.Service(t, key, ""), customer)

	exported := make(map[string]bool)
	for _, line := range exportOf(t, d.admin, me.ID) {
		for column, text := range columnsOf(line) {
			require.Contains(t, text, erasable, column)
			exported[column] = true
		}
	}
	filled := columnsWith(t, d.Desk, erasable)
	for _, column := range textColumns(t, d.Desk) {
		_, left := notExported[column]
		require.Equal(t, slices.Contains(filled, column), exported[column] != left, "%s: must be exported, or listed in notExported", column)
	}
}

// columnsOf returns the columns whose texts a line shows.
func columnsOf(line client.ExportLine) map[string]string {
	switch {
	case line.User != nil:
		return map[string]string{"users.email": line.User.Email, "users.display_name": line.User.DisplayName}
	case line.Session != nil:
		return map[string]string{"sessions.user_agent": line.Session.UserAgent, "sessions.client_network": line.Session.IP}
	case line.Ticket != nil:
		return map[string]string{"tickets.title": line.Ticket.Title, "tickets.description": line.Ticket.Description}
	case line.Message != nil:
		return map[string]string{"messages.content": line.Message.Content}
	case line.Feedback != nil:
		return map[string]string{"message_feedback.comment": line.Feedback.Comment}
	default:
		return nil
	}
}

func TestExportIsForAdministratorsOnly(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	admins, service := client.Role(auth.RoleAdmin), d.Service(t, d.admin.NewAPIKey(t, client.CreateAPIKeyRequest{}).Key, "")
	others := slices.DeleteFunc(slices.Clone(apitest.AllScopes), func(s client.Scope) bool { return s == client.ScopeUsers })
	path := exportPath(d.owner.ID)
	for name, who := range map[string]*apitest.User{
		"the customer": d.owner, "an agent": d.agent, "a service": service,
		"a key without the scope": d.Service(t, d.admin.NewAPIKey(t, client.CreateAPIKeyRequest{Role: admins, Scopes: others}).Key, ""),
	} {
		require.Equal(t, http.StatusForbidden, who.Do(t, http.MethodGet, path, "").Status, name)
	}
	key := d.Service(t, d.admin.NewAPIKey(t, client.CreateAPIKeyRequest{Role: admins, Scopes: client.Scopes{client.ScopeUsers}}).Key, "")
	require.NotEmpty(t, exportOf(t, key, d.owner.ID))
	for _, id := range []uuid.UUID{d.admin.ID, service.Me(t).ID, uuid.Must(uuid.NewV7())} { // Staff, a service, and an unknown account.
		d.admin.Do(t, http.MethodGet, exportPath(id), "").RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
	}
	d.admin.Do(t, http.MethodGet, path, "", "Accept: application/json").
		RequireProblem(t, http.StatusNotAcceptable, client.ProblemCodeNotAcceptable)
}

func TestExportIsLogged(t *testing.T) {
	t.Parallel()
	var log logBuffer
	s := desk.New(t, desk.Options{Log: &log})
	customer, admin := s.Customer(t), s.Staff(t, sqlc.UserRoleAdmin)
	exportOf(t, admin, customer.ID)
	require.Contains(t, log.String(), `event="user exported" by_user_id=`+admin.ID.String()+" user_id="+customer.ID.String())
	require.NotContains(t, log.String(), customer.Email)
}

// fillForExport gives a customer enough data for several batches and chunks.
func fillForExport(t *testing.T, s *desk.Desk, customer *apitest.User) {
	t.Helper()
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO tickets (id, user_id, title, description, created_at)
		SELECT gen_random_uuid(), $1, 'long', 'long', now() - make_interval(secs => n) FROM generate_series(1, 120) AS n`, customer.ID)
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
		SELECT gen_random_uuid(), t.id, 'customer', $1, 'said ' || n || repeat(' x', 500), now() + make_interval(secs => n)
		FROM (SELECT id FROM tickets WHERE user_id = $1 ORDER BY created_at LIMIT 1) AS t, generate_series(1, 230) AS n`, customer.ID)
}

// askForExport calls the handler directly, without a network.
func askForExport(t *testing.T, s *desk.Desk, admin *apitest.User, customer uuid.UUID, w http.ResponseWriter) {
	t.Helper()
	r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, exportPath(customer), http.NoBody)
	r.Header.Set("Authorization", "Bearer "+admin.Token)
	s.API.ServeHTTP(w, r)
}

func TestLargeExportIsComplete(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, admin := s.Customer(t), s.Staff(t, sqlc.UserRoleAdmin)
	fillForExport(t, s, customer)
	lines := exportOf(t, admin, customer.ID)
	require.Equal(t, plain.ExportCounts{Sessions: 1, Tickets: 120, Messages: 230}, *lines[len(lines)-1].Counts)
	seen := make(map[uuid.UUID]bool)
	for _, message := range each(lines, func(l client.ExportLine) *client.Message { return l.Message }) {
		require.False(t, seen[message.ID])
		require.True(t, strings.HasPrefix(message.Content, "said "))
		seen[message.ID] = true
	}
}

func TestSlowReaderOfAnExportHoldsNoConnection(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, admin := s.Customer(t), s.Staff(t, sqlc.UserRoleAdmin)
	fillForExport(t, s, customer)
	reader := &stuck{httptest.NewRecorder(), "", make(chan struct{}, 1), make(chan struct{})}
	var reading sync.WaitGroup
	reading.Go(func() { askForExport(t, s, admin, customer.ID, reader) })
	<-reader.writing
	require.Zero(t, s.Store.PoolStats().Acquired)
	require.Zero(t, storetest.QueryInt(t, s.DatabaseURL,
		"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"))
	close(reader.read)
	reading.Wait()
	lines := linesOf(t, reader.Body.Bytes())
	require.Equal(t, client.ExportLineType("end"), lines[len(lines)-1].Type)
}

func TestExportThatFailsHasNoEnd(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, admin := s.Customer(t), s.Staff(t, sqlc.UserRoleAdmin)
	fillForExport(t, s, customer)
	reader := &stuck{httptest.NewRecorder(), "", make(chan struct{}, 1), make(chan struct{})}
	var reading sync.WaitGroup
	var fault any
	reading.Go(func() {
		defer func() { fault = recover() }()
		askForExport(t, s, admin, customer.ID, reader)
	})
	<-reader.writing
	storetest.Exec(t, s.DatabaseURL, "ALTER TABLE messages RENAME TO gone")
	close(reader.read)
	reading.Wait()
	require.Equal(t, http.ErrAbortHandler, fault, "the connection is aborted")
	require.NotContains(t, reader.Body.String(), `"type":"end"`)
	storetest.Exec(t, s.DatabaseURL, "ALTER TABLE users RENAME TO gone_too")
	first := httptest.NewRecorder()
	askForExport(t, s, admin, customer.ID, first)
	require.Equal(t, http.StatusInternalServerError, first.Code, "before the first line, it is a problem")
}

// broken is the connection of a client that has disconnected.
type broken struct {
	*httptest.ResponseRecorder
	writes int
}

func (b *broken) Write([]byte) (int, error) {
	b.writes++
	return 0, errors.New("the client has gone")
}

func TestExportEndsWhenItsReaderLeaves(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{MaxStreamsEach: 1})
	customer, admin := s.Customer(t), s.Staff(t, sqlc.UserRoleAdmin)
	fillForExport(t, s, customer)
	gone := &broken{ResponseRecorder: httptest.NewRecorder()}
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { askForExport(t, s, admin, customer.ID, gone) })
	require.Equal(t, 1, gone.writes)
	require.NotEmpty(t, exportOf(t, admin, customer.ID), "the slot is free again")
}
