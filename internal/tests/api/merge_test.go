package api_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
	rooms "github.com/supportbackend/support/internal/ticket"
)

func merge(t *testing.T, u *apitest.User, from, into uuid.UUID) *plain.MergeTicketResponse {
	t.Helper()
	got, err := u.MergeTicketWithResponse(t.Context(), from, nil, client.MergeTicketRequest{Into: into})
	require.NoError(t, err)
	return got
}

// saidIn returns the messages of a ticket, in order.
func saidIn(t *testing.T, u *apitest.User, id uuid.UUID) string {
	t.Helper()
	var said []string
	for _, m := range u.Messages(t, id) {
		said = append(said, m.Content)
	}
	return strings.Join(said, " | ")
}

func TestMergeMovesTheConversation(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	into, from := customer.NewTicket(t), customer.NewTicket(t)
	customer.Say(t, into.ID, "one")
	customer.Say(t, from.ID, "two")
	agent.Say(t, into.ID, "three")
	agent.Say(t, from.ID, "four")
	// Both tickets have a message with the same time.
	storetest.Exec(t, s.DatabaseURL, `UPDATE messages SET created_at = (SELECT max(created_at) FROM messages WHERE ticket_id = $1)
		WHERE ticket_id = $2 AND content = 'four'`, into.ID, from.ID)
	require.Equal(t, http.StatusOK, merge(t, agent, from.ID, into.ID).StatusCode())

	require.Equal(t, from.Description+" | one | two | three | four", saidIn(t, customer, into.ID))
	require.Empty(t, saidIn(t, customer, from.ID))
	merged := getTicket(t, customer, from)
	require.EqualValues(t, "closed", merged.Status)
	require.Equal(t, into.ID, *merged.MergedInto)
	const json, elsewhere = "Content-Type: application/json", "The ticket was merged into another one (merged_into) and stays closed."
	reopened := customer.Do(t, http.MethodPatch, "/tickets/"+from.ID.String(), `{"status":"open"}`, json).
		RequireProblem(t, http.StatusConflict, client.ProblemCodeInvalidTransition)
	require.Equal(t, elsewhere, reopened.Detail)
	for path, body := range map[string]string{"messages": `{"content":"Hello?"}`, "handoff": `{"reason":"other"}`, "ai-responses": "{}"} {
		refused := customer.Do(t, http.MethodPost, "/tickets/"+from.ID.String()+"/"+path, body, json).
			RequireProblem(t, http.StatusConflict, client.ProblemCodeTicketClosed)
		require.Equal(t, elsewhere, refused.Detail, path)
	}
	require.Subset(t, journalOf(t, s, from.ID, "type"), []string{"ticket.merged", "ticket.status_changed"})
	require.Subset(t, journalOf(t, s, into.ID, "type"), []string{"ticket.merged"})

	again := merge(t, agent, from.ID, into.ID)
	apitest.RequireProblem(t, again.StatusCode(), again.Body, http.StatusConflict, client.ProblemCodeInvalidTransition)
	for _, id := range []uuid.UUID{into.ID, uuid.New(), s.Customer(t).NewTicket(t).ID} {
		refused := merge(t, agent, into.ID, id)
		problem := apitest.RequireProblem(t, refused.StatusCode(), refused.Body, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		require.Equal(t, "/into", problem.Errors[0].Pointer)
	}
	closed := merge(t, agent, into.ID, from.ID)
	apitest.RequireProblem(t, closed.StatusCode(), closed.Body, http.StatusConflict, client.ProblemCodeTicketClosed)
}

func TestMergeJoinsTagsAndFields(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	into, from := customer.NewTicket(t), customer.NewTicket(t)
	fields := make(map[string]any)
	for i := range 25 {
		fields["own_"+strconv.Itoa(i)] = i
	}
	fields["order"] = "1"
	update(t, agent, into.ID, client.UpdateTicketRequest{Tags: &client.Tags{"b", "a"}, CustomFields: fields})
	more := map[string]any{"order": "2"}
	for i := range 10 {
		more["more_"+strconv.Itoa(i)] = true
	}
	update(t, agent, from.ID, client.UpdateTicketRequest{Tags: &client.Tags{"c", "a"}, CustomFields: more})

	got := merge(t, agent, from.ID, into.ID)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	require.Equal(t, client.Tags{"b", "a", "c"}, got.JSON200.Tags)
	require.Len(t, got.JSON200.CustomFields, 30, "as many as a ticket may have")
	require.Equal(t, "1", got.JSON200.CustomFields["order"], "the other ticket keeps its own value")
	require.Equal(t, true, got.JSON200.CustomFields["more_3"])
	entries := journalOf(t, s, into.ID, "type || ' ' || (customer_id IS NULL)::text || ' ' || data::text")
	require.Equal(t, []string{
		`ticket.tagged true {"added": ["c"], "removed": []}`,
		`ticket.updated true {"custom_fields": ["more_0", "more_1", "more_2", "more_3"]}`,
	}, entries[len(entries)-2:])
}

// If the customer waits in the merged ticket, the other one becomes open. Otherwise its status does not change.
func TestMergeReopensForAWaitingCustomer(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	tomorrow := nullable.NewNullableWithValue(time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second))
	for name, prepare := range map[string]func(id uuid.UUID){
		"resolved": func(id uuid.UUID) { agent.SetStatus(t, id, "resolved") },
		"pending":  func(id uuid.UUID) { agent.SetStatus(t, id, "pending") },
		"snoozed":  func(id uuid.UUID) { update(t, agent, id, client.UpdateTicketRequest{SnoozedUntil: tomorrow}) },
	} {
		into, answered, waiting := customer.NewTicket(t), customer.NewTicket(t), customer.NewTicket(t)
		agent.Say(t, into.ID, "All done.")
		agent.Say(t, answered.ID, "All done.")
		prepare(into.ID)
		before := getTicket(t, agent, into)
		require.Equal(t, http.StatusOK, merge(t, agent, answered.ID, into.ID).StatusCode())
		same := getTicket(t, agent, into)
		require.Equal(t, before.Status, same.Status, name)
		require.Equal(t, before.SnoozedUntil, same.SnoozedUntil, name)
		require.Zero(t, same.WaitingSince, name)

		require.Equal(t, http.StatusOK, merge(t, agent, waiting.ID, into.ID).StatusCode())
		after := getTicket(t, agent, into)
		require.Equal(t, client.TicketStatusOpen, after.Status, name)
		require.Zero(t, after.SnoozedUntil, name)
		require.Zero(t, after.ResolvedAt, name)
		require.Equal(t, waiting.CreatedAt, after.WaitingSince, name)
		change := map[string]string{
			"resolved": `ticket.status_changed false {"to": "open", "from": "resolved"}`,
			"pending":  `ticket.status_changed false {"to": "open", "from": "pending"}`,
			"snoozed":  `ticket.snoozed true`,
		}[name]
		entries := journalOf(t, s, into.ID, "type || ' ' || (customer_id IS NULL)::text || ' ' || data::text")
		require.Contains(t, entries[len(entries)-1], change)
		require.Equal(t, after.Status, lastStatus(t, s, into.ID, before.Status))
	}
}

// lastStatus returns the ticket's status after its newest recorded change, or none if no change is recorded.
func lastStatus(t *testing.T, s *desk.Desk, id uuid.UUID, none client.TicketStatus) client.TicketStatus {
	t.Helper()
	return client.TicketStatus(storetest.QueryText(t, s.DatabaseURL, `SELECT coalesce((SELECT to_status::text FROM ticket_status_changes
		WHERE ticket_id = $1 ORDER BY id DESC LIMIT 1), $2)`, id, none))
}

// Running answers in both tickets end unpublished, and the customer's next turn is in the other ticket.
func TestMergeCancelsRunningAnswers(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	into, from := customer.NewTicket(t), customer.NewTicket(t)
	for _, ticket := range []client.Ticket{into, from} {
		enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 5}}})
		asked, err := agent.CreateAIRequestWithResponse(t.Context(), ticket.ID, nil, client.CreateAIRequestRequest{Kind: plain.CreateAIRequestRequestKindSummarize})
		require.NoError(t, err)
		require.Less(t, asked.StatusCode(), 300, "%s", asked.Body)
	}
	enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 5}}})
	stream := customer.Stream(t, from.ID)
	groqtest.Wait(t, s.Simulator, func(records []groqsim.RequestRecord) bool {
		return len(records) == 3 && !slices.ContainsFunc(records, func(r groqsim.RequestRecord) bool { return r.HeldAt != "late" })
	})
	got := merge(t, agent, from.ID, into.ID)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	s.Simulator.Release("late")
	answer := stream.ReadAll()
	require.Nil(t, answer.Done)
	require.Equal(t, client.AIFailureCodeSuperseded, answer.Failed.Code)
	require.Zero(t, countAIMessages(t, s, from.ID)+countAIMessages(t, s, into.ID))
	require.Equal(t, "superseded", storetest.QueryText(t, s.DatabaseURL, "SELECT string_agg(DISTINCT status::text, ' ') FROM ai_responses"))
	require.Equal(t, 3, storetest.QueryInt(t, s.DatabaseURL, "SELECT count(*) FROM ai_responses WHERE ticket_id = '"+into.ID.String()+"'"))
}

// A ticket follows the one that it was merged into, when that is merged too: its pointer, its customer's outbox, and the
// redaction of what was said in it.
func TestMergeOfAMergedTicket(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	first, second, last := d.owner.NewTicket(t), d.owner.NewTicket(t), d.owner.NewTicket(t)
	key, message := "a-key", client.CreateMessageRequest{Content: "My card is canary-4711.", ClientID: "outbox-1"}
	said, err := d.owner.CreateMessageWithResponse(t.Context(), first.ID, &plain.CreateMessageParams{IdempotencyKey: &key}, message)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, said.StatusCode(), "%s", said.Body)
	storeResponses(t, d, "canary-4711")
	require.Equal(t, http.StatusOK, merge(t, agent, first.ID, second.ID).StatusCode())
	before := getTicket(t, d.owner, first)
	require.Equal(t, http.StatusOK, merge(t, agent, second.ID, last.ID).StatusCode())

	after := getTicket(t, d.owner, first)
	require.Equal(t, last.ID, *after.MergedInto)
	require.True(t, after.UpdatedAt.After(before.UpdatedAt))
	moves := journalOf(t, d.Desk, first.ID, "type || ' ' || coalesce(subject_id::text, '')")
	require.Equal(t, "ticket.merged "+last.ID.String(), moves[len(moves)-1])

	again := sayAs(t, d.owner, first.ID, message)
	require.Equal(t, http.StatusOK, again.StatusCode(), "%s", again.Body)
	require.Equal(t, said.JSON201.ID, again.JSON200.ID)
	require.Equal(t, last.ID, again.JSON200.TicketID)
	refused := sayAs(t, d.owner, first.ID, client.CreateMessageRequest{Content: "Hello?", ClientID: "outbox-2"})
	apitest.RequireProblem(t, refused.StatusCode(), refused.Body, http.StatusConflict, client.ProblemCodeTicketClosed)

	redact(t, agent, said.JSON201.ID)
	requireNowhere(t, d.Desk, "canary")
}

// Of two opposite merges, one wins. A message that races a merge is in one of the tickets, or refused.
func TestMergeRaces(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	for range 5 {
		a, b := customer.NewTicket(t), customer.NewTicket(t)
		var statuses [2]int
		var said *plain.CreateMessageResponse
		var all sync.WaitGroup
		all.Go(func() { statuses[0] = merge(t, agent, a.ID, b.ID).StatusCode() })
		all.Go(func() { statuses[1] = merge(t, agent, b.ID, a.ID).StatusCode() })
		all.Go(func() {
			said, _ = customer.CreateMessageWithResponse(t.Context(), a.ID, nil, client.CreateMessageRequest{Content: "Hello?"})
		})
		all.Wait()
		require.ElementsMatch(t, []int{http.StatusOK, http.StatusConflict}, statuses[:])
		heard := strings.Count(saidIn(t, customer, a.ID)+saidIn(t, customer, b.ID), "Hello?")
		require.Equal(t, said.StatusCode() == http.StatusCreated, heard == 1, "%d: %s", said.StatusCode(), said.Body)
	}
}

func TestBulkChangeReportsEachTicket(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	open, closed := customer.NewTicket(t), customer.NewTicket(t)
	for _, status := range []client.TicketStatus{"resolved", "closed"} {
		agent.SetStatus(t, closed.ID, status)
	}
	unknown := uuid.New()
	for range 2 { // Repeating the request is harmless.
		got, err := agent.UpdateTicketsWithResponse(t.Context(), nil, client.UpdateTicketsRequest{
			TicketIDs: []uuid.UUID{open.ID, closed.ID, unknown}, Status: "resolved", AddTags: client.Tags{"outage"},
			AssigneeID: nullable.NewNullableWithValue(agent.ID),
		})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
		results := *got.JSON200
		require.True(t, results[0].Changed)
		require.Nil(t, results[0].Problem)
		require.Equal(t, client.ProblemCodeInvalidTransition, results[1].Problem.Code)
		require.Equal(t, client.ProblemCodeNotFound, results[2].Problem.Code)
		require.EqualValues(t, "resolved", getTicket(t, agent, open).Status)
		require.Equal(t, client.Tags{"outage"}, getTicket(t, agent, open).Tags)
		require.Empty(t, getTicket(t, agent, closed).Tags, "a ticket is changed as a whole or not at all")
	}
}

func TestReplyOnAnOlderVersionIsRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	read, err := agent.GetTicketWithResponse(t.Context(), ticket.ID, nil)
	require.NoError(t, err)
	tag := read.HTTPResponse.Header.Get("ETag")
	reply := func() *plain.CreateMessageResponse {
		got, err := agent.CreateMessageWithResponse(t.Context(), ticket.ID, &plain.CreateMessageParams{IfMatch: &tag},
			client.CreateMessageRequest{Content: "I am on it."})
		require.NoError(t, err)
		return got
	}
	require.Equal(t, http.StatusCreated, reply().StatusCode())
	second := reply()
	apitest.RequireProblem(t, second.StatusCode(), second.Body, http.StatusPreconditionFailed, client.ProblemCodePreconditionFailed)
	require.Len(t, agent.Messages(t, ticket.ID), 1)
}

func TestServiceOpensATicketOncePerExternalID(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	key := admin.NewAPIKey(t, client.CreateAPIKeyRequest{}).Key
	first, second := s.Service(t, key, "customer-1"), s.Service(t, key, "customer-2")
	open := func(u *apitest.User, upsert bool) *plain.CreateTicketResponse {
		got, err := u.CreateTicketWithResponse(t.Context(), nil, client.CreateTicketRequest{
			Title: "Order 4711", Description: "Where is it?", ExternalID: "order-4711", Upsert: upsert,
		})
		require.NoError(t, err)
		return got
	}
	statuses := make([]int, 4)
	var all sync.WaitGroup
	for i := range statuses {
		all.Go(func() { statuses[i] = open(first, true).StatusCode() })
	}
	all.Wait()
	require.ElementsMatch(t, []int{http.StatusCreated, http.StatusOK, http.StatusOK, http.StatusOK}, statuses)
	for _, refused := range []*plain.CreateTicketResponse{open(first, false), open(second, true)} {
		apitest.RequireProblem(t, refused.StatusCode(), refused.Body, http.StatusConflict, client.ProblemCodeExternalIDTaken)
	}
	other := s.Service(t, admin.NewAPIKey(t, client.CreateAPIKeyRequest{}).Key, "customer-1")
	require.Equal(t, http.StatusCreated, open(other, true).StatusCode(), "another service has external ids of its own")
	refused := open(s.Customer(t), true)
	apitest.RequireProblem(t, refused.StatusCode(), refused.Body, http.StatusForbidden, client.ProblemCodeForbidden)
}

func TestServicesAndStaffOpenTicketsWithFields(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	service := s.Service(t, admin.NewAPIKey(t, client.CreateAPIKeyRequest{}).Key, "customer-1")
	opening := client.CreateTicketRequest{
		Title: "Order 4711", Description: "Where is it?", Priority: client.TicketPriorityHigh,
		Tags: client.Tags{"shipping", "vip"}, CustomFields: map[string]any{"order": "4711", "items": 3.0, "paid": true},
	}
	for name, caller := range map[string]*apitest.User{"staff": s.Staff(t, sqlc.UserRoleAgent), "a service for its customer": service} {
		created, err := caller.CreateTicketWithResponse(t.Context(), nil, opening)
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, created.StatusCode(), "%s: %s", name, created.Body)
		got := getTicket(t, admin, *created.JSON201)
		require.Equal(t, opening.Priority, got.Priority, name)
		require.Equal(t, opening.Tags, got.Tags, name)
		require.Equal(t, opening.CustomFields, got.CustomFields, name)
		titles, _ := inboxOf(t, admin, "tag=vip&requester="+got.UserID.String())
		require.Equal(t, "Order 4711", titles, name)
	}
	customer := s.Customer(t)
	refused, err := customer.CreateTicketWithResponse(t.Context(), nil, opening)
	require.NoError(t, err)
	problem := apitest.RequireProblem(t, refused.StatusCode(), refused.Body, http.StatusForbidden, client.ProblemCodeForbidden)
	var pointers []string
	for _, field := range problem.Errors {
		pointers = append(pointers, field.Pointer)
	}
	require.Equal(t, []string{"/priority", "/tags", "/custom_fields"}, pointers)
}

func TestSnoozedTicketWakesByItself(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	due, later := customer.NewTicket(t), customer.NewTicket(t)
	for _, ticket := range []client.Ticket{due, later} {
		update(t, agent, ticket.ID, client.UpdateTicketRequest{SnoozedUntil: nullable.NewNullableWithValue(time.Now().Add(time.Hour))})
	}
	storetest.Exec(t, s.DatabaseURL, "UPDATE tickets SET snoozed_until = now() WHERE id = $1", due.ID)
	require.NoError(t, rooms.NewService(s.Store, rooms.Options{}).WakeTickets(t.Context()))
	require.Zero(t, getTicket(t, agent, due).SnoozedUntil)
	require.NotZero(t, getTicket(t, agent, later).SnoozedUntil)
	entries := journalOf(t, s, due.ID, "type || ' ' || actor_kind")
	require.Equal(t, "ticket.snoozed system", entries[len(entries)-1])
}
