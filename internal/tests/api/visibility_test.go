package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// forStaff is in everything that only staff may see in a customer's ticket, and nowhere else.
const forStaff = "canary"

// haunt puts a canary into every staff-only place of a ticket, and returns the ids of the things that it adds, by path
// parameter.
func haunt(t *testing.T, c *cast, ticketID string) map[string][]string {
	t.Helper()
	path, staff := "/tickets/"+ticketID, c.agent.Bearer()
	fields := c.Do(t, http.MethodPatch, path,
		`{"external_id":"canary-`+ticketID+`","tags":["canary"],"custom_fields":{"canary":"canary"},"priority":"high"}`, staff, jsonType)
	require.Equal(t, http.StatusOK, fields.Status, "%s", fields.Body)
	note := c.Do(t, http.MethodPost, path+"/notes", `{"content":"A canary note"}`, staff, jsonType)
	require.Equal(t, http.StatusCreated, note.Status, "%s", note.Body)
	ids := map[string][]string{"message_id": {idOf(t, note.Body)}}
	macro := c.Do(t, http.MethodPost, "/macros", `{"name":"Canary `+ticketID+`","content":"A canary macro","is_note":true}`, staff, jsonType)
	require.Equal(t, http.StatusCreated, macro.Status, "%s", macro.Body)
	applied := c.Do(t, http.MethodPost, path+"/macros/"+idOf(t, macro.Body)+"/apply", "", staff)
	require.Equal(t, http.StatusOK, applied.Status, "%s", applied.Body)
	prompt := c.Do(t, http.MethodPost, "/prompts", `{"company":"Canary Ltd"}`, c.admin.Bearer(), jsonType)
	require.Equal(t, http.StatusCreated, prompt.Status, "%s", prompt.Body)
	ids["message_id"] = append(ids["message_id"], noteIn(t, applied.Body))
	for _, kind := range []string{"answer", "suggest_reply", "summarize", "triage"} {
		id := uuid.Must(uuid.NewV7()).String()
		storetest.Exec(t, c.DatabaseURL, `INSERT INTO ai_responses
			(id, ticket_id, kind, status, model, last_seq, finish_reason, lease_expires_at, finished_at, content, review)
			VALUES ($1, $2, $3::ai_response_kind, 'completed', 'canary', 2, 'stop', now(), now(), 'A canary draft',
				CASE WHEN $3 = 'answer' THEN 'pending'::ai_review END)`, id, ticketID, kind)
		storetest.Exec(t, c.DatabaseURL, `INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
			VALUES ($1, 1, 'delta', 1, 'A canary draft'), ($1, 2, 'done', 1, '')`, id)
		ids["ai_response_id"] = append(ids["ai_response_id"], id)
	}
	return ids
}

// TestCustomersNeverGetStaffData calls every operation for customers on a ticket full of staff-only data: as the
// customer, as a service for its customer, and as a service without a staff role.
func TestCustomersNeverGetStaffData(t *testing.T) {
	t.Parallel()
	c := newCastOn(t, desk.Options{Journal: true})
	key := c.apiKey(t, auth.RoleUser, allScopes...)
	served := []string{key.bearer(), "X-On-Behalf-Of: customer-1"}
	for name, caller := range map[string]struct{ header, opens []string }{
		"the customer":               {[]string{c.owner.Bearer()}, []string{c.owner.Bearer()}},
		"a service for its customer": {served, served},
		"a service for itself":       {[]string{key.bearer()}, []string{key.bearer()}},
	} {
		created := c.Do(t, http.MethodPost, "/tickets", `{"title":"A title","description":"Hello."}`,
			append(slices.Clone(caller.opens), jsonType)...)
		require.Equal(t, http.StatusCreated, created.Status, "%s: %s", name, created.Body)
		ticketID := idOf(t, created.Body)
		haunted := haunt(t, c, ticketID)
		said := c.Do(t, http.MethodPost, "/tickets/"+ticketID+"/messages", `{"content":"`+lastSaid+`"}`, append(slices.Clone(caller.opens), jsonType)...)
		require.Equal(t, http.StatusCreated, said.Status, "%s: %s", name, said.Body)
		for _, filter := range []string{"", "&ticket_id=" + ticketID, "&types=note.created,message.created,ai_response.drafted"} {
			require.NotContains(t, strings.ToLower(c.readEvents(t, filter, ticketID, caller.header)), forStaff, "the events of %s", name)
			require.Contains(t, c.readEvents(t, filter, ticketID, []string{c.agent.Bearer()}), forStaff, "staff get them")
		}
		for _, o := range specOperations(t) {
			if o.role != sqlc.UserRoleUser || o.OperationID == "changePassword" || o.OperationID == "logOut" || isEndless(o) {
				continue
			}
			for _, ids := range hauntedPaths(t, c, o, ticketID, haunted) {
				got := o.call(t, c, ids, caller.header...)
				require.NotContains(t, strings.ToLower(string(got.Body)), forStaff, "%s by %s: %d", o.OperationID, name, got.Status)
				for header, values := range got.Header {
					require.NotContains(t, strings.ToLower(strings.Join(values, " ")), forStaff, "%s by %s: %s", o.OperationID, name, header)
				}
			}
		}
		token := c.Do(t, http.MethodPost, "/tickets/"+ticketID+"/stream-tokens", "", caller.header...)
		require.Equal(t, http.StatusCreated, token.Status, "%s: %s", name, token.Body)
		var stream struct{ URL string }
		require.NoError(t, json.Unmarshal(token.Body, &stream))
		require.NotContains(t, string(c.Do(t, http.MethodGet, stream.URL, "").Body), forStaff, "the stream of %s", name)
	}
	for _, request := range c.Simulator.Requests() {
		require.NotContains(t, strings.ToLower(string(request.Body)), forStaff, "the AI that answers customers")
	}
	export := c.admin.Do(t, http.MethodGet, exportPath(c.owner.ID), "")
	require.Contains(t, string(export.Body), lastSaid)
	require.NotContains(t, strings.ToLower(string(export.Body)), forStaff, "the customer's export")
	seen := c.Do(t, http.MethodGet, "/tickets", "", c.agent.Bearer())
	require.Contains(t, string(seen.Body), forStaff, "staff see it")
}

// lastSaid is the customer's message after all staff-only data.
const lastSaid = "That is all."

// readEvents reads the stream of events up to the last message of a ticket's customer.
func (c *cast) readEvents(t *testing.T, filter, ticketID string, header []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/events/stream?after=0"+filter, http.NoBody)
	require.NoError(t, err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	response, err := c.HTTP.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var read strings.Builder
	for lines := bufio.NewScanner(response.Body); ; {
		require.True(t, lines.Scan(), "%d: %s", response.StatusCode, read.String())
		read.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), lastSaid) && strings.Contains(lines.Text(), ticketID) {
			return read.String()
		}
	}
}

// noteIn returns the id of the note that a macro has added.
func noteIn(t *testing.T, applied []byte) string {
	t.Helper()
	var shown struct{ Message json.RawMessage }
	require.NoError(t, json.Unmarshal(applied, &shown))
	return idOf(t, shown.Message)
}

// hauntedPaths returns the ids with which to call an operation: each staff-only thing of the ticket.
func hauntedPaths(t *testing.T, c *cast, o specOperation, ticketID string, haunted map[string][]string) (all [][]string) {
	t.Helper()
	all = [][]string{{}}
	for _, name := range o.pathParameters {
		values := haunted[name]
		switch {
		case name == "ticket_id":
			values = []string{ticketID}
		case name == "user_id":
			values = []string{c.owner.ID.String(), c.agent.ID.String()}
		case len(values) == 0:
			values = []string{thing(t, name)(t, c)}
		}
		var longer [][]string
		for _, ids := range all {
			for _, value := range values {
				longer = append(longer, append(slices.Clone(ids), value))
			}
		}
		all = longer
	}
	return all
}

// isEndless reports whether an operation's response never ends by itself.
func isEndless(o specOperation) bool { return o.OperationID == "streamEvents" }
