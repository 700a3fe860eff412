package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// addNote adds a note as staff.
func addNote(t *testing.T, staff *apitest.User, ticketID uuid.UUID, content string) client.Message {
	t.Helper()
	added, err := staff.CreateNoteWithResponse(t.Context(), ticketID, nil, client.CreateNoteRequest{Content: content})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, added.StatusCode(), "%s", added.Body)
	return *added.JSON201
}

func TestStaffReadNotesAmongTheMessages(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	first := d.owner.Say(t, d.ticket.ID, "A question")
	note := addNote(t, agent, d.ticket.ID, "A note")
	last := agent.Say(t, d.ticket.ID, "A reply")
	require.True(t, note.IsNote)
	require.Equal(t, client.MessageAuthorKindAgent, note.Author.Kind)
	require.Equal(t, &agent.ID, note.Author.ID)

	contents := func(user *apitest.User) (all []string) {
		for _, message := range user.Messages(t, d.ticket.ID) {
			all = append(all, message.Content)
		}
		var page []client.Message
		body := user.Do(t, http.MethodGet, "/tickets/"+d.ticket.ID.String()+"/messages", "").Body
		require.NoError(t, json.Unmarshal(body, &page))
		for i, message := range page {
			require.Equal(t, all[i], message.Content, "the list equals the ticket")
		}
		require.Len(t, page, len(all))
		return all
	}
	require.Equal(t, []string{first.Content, note.Content, last.Content}, contents(agent))
	require.Equal(t, []string{first.Content, last.Content}, contents(d.owner))
	require.Equal(t, fmt.Sprintf("agent %s %s t", agent.ID, note.ID), storetest.QueryText(t, d.DatabaseURL,
		`SELECT concat_ws(' ', actor_kind, actor_id, subject_id, customer_id IS NULL) FROM journal_outbox
		WHERE type = 'note.created' AND ticket_id = $1`, d.ticket.ID))
}

func TestNoteChangesNothingThatCustomersSee(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	d.owner.Say(t, d.ticket.ID, "A question")
	agent.Say(t, d.ticket.ID, "A reply")
	agent.SetStatus(t, d.ticket.ID, client.TicketStatusPending)
	path := "/tickets/" + d.ticket.ID.String()
	read := func(user *apitest.User) (shown []apitest.Response) {
		for _, path := range []string{path, path + "/messages", "/tickets", "/ui/chat/" + d.ticket.ID.String() + "/messages"} {
			shown = append(shown, user.Do(t, http.MethodGet, path, "", fixedRequestID))
		}
		return shown
	}
	before, staffsBefore := read(d.owner), read(agent)
	note := addNote(t, agent, d.ticket.ID, "A note")
	for i, after := range read(d.owner) {
		requireSame(t, before[i], after, "the customer sees a change")
	}
	staffs := read(agent)
	require.NotEqual(t, staffsBefore[0].Header.Get("ETag"), staffs[0].Header.Get("ETag"), "the ETag changes for staff")
	require.Equal(t, staffsBefore[2].Body, staffs[2].Body, "the ticket's times stay as they are")

	tag := "If-Match: " + staffsBefore[0].Header.Get("ETag")
	changed := agent.Do(t, http.MethodPatch, path, `{"status":"resolved"}`, tag, jsonType)
	require.Equal(t, http.StatusOK, changed.Status, "a note does not change the ticket: %s", changed.Body)
	feedback := agent.Do(t, http.MethodPut, "/messages/"+note.ID.String()+"/feedback", `{"rating":"up"}`, jsonType)
	require.Equal(t, http.StatusNotFound, feedback.Status)
	agent.SetStatus(t, d.ticket.ID, client.TicketStatusClosed)
	addNote(t, agent, d.ticket.ID, "A closed ticket takes notes too")
}

func TestNoteNeitherCancelsAnAnswerNorEntersItsPrompt(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	d.owner.Say(t, d.ticket.ID, "A question")
	addNote(t, agent, d.ticket.ID, "A secret note before")
	enqueue(t, d.Desk, groqsim.Script{Gates: []groqsim.Gate{{Name: "noted", After: 1}}})
	response := d.owner.Begin(t, d.ticket.ID)
	addNote(t, agent, d.ticket.ID, "A secret note meanwhile")
	d.Simulator.Release("noted")
	answer := d.owner.ReadAIResponse(t, response.ID)
	require.NotNil(t, answer.Done, "the answer is complete")
	addNote(t, agent, d.ticket.ID, "A secret note after")
	d.owner.Say(t, d.ticket.ID, "Another question")
	d.owner.ReadAIResponse(t, d.owner.Begin(t, d.ticket.ID).ID)
	requests := d.Simulator.Requests()
	require.Len(t, requests, 2)
	for _, request := range requests {
		require.NotContains(t, string(request.Body), "secret note")
	}
	after := agent.Messages(t, d.ticket.ID)
	require.Len(t, after, 7)
}

func TestNoteOfAServiceIsHiddenFromItsCustomers(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	key := d.admin.NewAPIKey(t, client.CreateAPIKeyRequest{Role: client.RoleAgent}).Key
	service, customer := d.Service(t, key, ""), d.Service(t, key, "customer-1")
	ticket := customer.NewTicket(t)
	addNote(t, service, ticket.ID, "A note")
	require.Len(t, service.Messages(t, ticket.ID), 1)
	require.Empty(t, customer.Messages(t, ticket.ID))
	refused := customer.Do(t, http.MethodPost, "/tickets/"+ticket.ID.String()+"/notes", `{"content":"A note"}`, jsonType)
	require.Equal(t, http.StatusBadRequest, refused.Status, "%s", refused.Body)
}
