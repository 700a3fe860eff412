package api_test

import (
	"net/http"
	"slices"
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
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// update changes a ticket and returns the result.
func update(t *testing.T, u *apitest.User, id uuid.UUID, change client.UpdateTicketRequest) client.Ticket {
	t.Helper()
	got, err := u.UpdateTicketWithResponse(t.Context(), id, nil, change)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	return *got.JSON200
}

// refuse checks that a change of a ticket is refused.
func refuse(t *testing.T, u *apitest.User, id uuid.UUID, change client.UpdateTicketRequest, status int, code client.ProblemCode) plain.Problem {
	t.Helper()
	got, err := u.UpdateTicketWithResponse(t.Context(), id, nil, change)
	require.NoError(t, err)
	return apitest.RequireProblem(t, got.StatusCode(), got.Body, status, code)
}

// journalOf returns these columns of a ticket's journal entries, one line per entry.
func journalOf(t *testing.T, s *desk.Desk, id uuid.UUID, columns string) []string {
	t.Helper()
	all := storetest.QueryText(t, s.DatabaseURL,
		"SELECT coalesce(string_agg("+columns+", E'\n' ORDER BY id), '') FROM journal_outbox WHERE ticket_id = '"+id.String()+"'")
	return strings.Split(all, "\n")
}

func TestStaffChangeEveryFieldOfATicket(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	teamID := uuid.Must(uuid.NewV7())
	storetest.Exec(t, s.DatabaseURL, "INSERT INTO teams (id, name) VALUES ($1, 'Billing')", teamID)
	agentID := agent.Me(t).ID
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Microsecond)

	changed := update(t, agent, ticket.ID, client.UpdateTicketRequest{
		Priority: client.TicketPriorityUrgent, AssigneeID: nullable.NewNullableWithValue(agentID),
		TeamID: nullable.NewNullableWithValue(teamID), Tags: &client.Tags{"billing", "zurück"},
		CustomFields: map[string]any{"order": "4711", "amount": 12.5, "vip": true},
		ExternalID:   nullable.NewNullableWithValue("CRM-1"), SnoozedUntil: nullable.NewNullableWithValue(tomorrow),
	})
	require.Equal(t, client.TicketPriorityUrgent, changed.Priority)
	require.Equal(t, agentID, *changed.AssigneeID)
	require.Equal(t, teamID, *changed.TeamID)
	require.Equal(t, client.Tags{"billing", "zurück"}, changed.Tags)
	require.Equal(t, client.CustomFields{"order": "4711", "amount": 12.5, "vip": true}, changed.CustomFields)
	require.Equal(t, "CRM-1", changed.ExternalID)
	require.True(t, tomorrow.Equal(changed.SnoozedUntil))
	shown := getTicket(t, agent, ticket)
	require.Equal(t, changed.Tags, shown.Tags)
	require.Equal(t, changed.CustomFields, shown.CustomFields)

	cleared := update(t, agent, ticket.ID, client.UpdateTicketRequest{
		AssigneeID: nullable.NewNullNullable[uuid.UUID](), TeamID: nullable.NewNullNullable[uuid.UUID](), Tags: &client.Tags{"zurück"},
		CustomFields: map[string]any{"order": nil, "amount": 13}, ExternalID: nullable.NewNullNullable[string](),
		SnoozedUntil: nullable.NewNullNullable[time.Time](),
	})
	require.Nil(t, cleared.AssigneeID)
	require.Nil(t, cleared.TeamID)
	require.Equal(t, client.Tags{"zurück"}, cleared.Tags)
	require.Equal(t, client.CustomFields{"amount": 13.0, "vip": true}, cleared.CustomFields)
	require.Empty(t, cleared.ExternalID)
	require.Zero(t, cleared.SnoozedUntil)
	require.Equal(t, client.TicketPriorityUrgent, cleared.Priority, "omitted members stay")

	require.Equal(t, []string{
		"ticket.created customer shown",
		"ticket.assigned agent hidden", "ticket.tagged agent hidden", "ticket.snoozed agent hidden", "ticket.updated agent hidden",
		"ticket.assigned agent hidden", "ticket.tagged agent hidden", "ticket.snoozed agent hidden", "ticket.updated agent hidden",
	}, journalOf(t, s, ticket.ID, "type || ' ' || actor_kind || CASE WHEN customer_id IS NULL THEN ' hidden' ELSE ' shown' END"))
	require.Equal(t, `{"external_id": {"to": null, "from": "CRM-1"}, "custom_fields": ["amount", "order"]}`,
		journalOf(t, s, ticket.ID, "data::text")[8], "what is in a custom field stays out of the journal")
	require.Equal(t, `{"added": [], "removed": ["billing"]}`, journalOf(t, s, ticket.ID, "data::text")[6])
}

func TestCustomersNeitherSeeNorChangeStaffFields(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	for _, change := range []client.UpdateTicketRequest{
		{Priority: client.TicketPriorityLow},
		{Tags: &client.Tags{}},
		{CustomFields: map[string]any{"a": nil}},
		{AssigneeID: nullable.NewNullNullable[uuid.UUID]()},
		{TeamID: nullable.NewNullNullable[uuid.UUID]()},
		{ExternalID: nullable.NewNullableWithValue("1")},
		{SnoozedUntil: nullable.NewNullNullable[time.Time]()},
	} {
		refuse(t, customer, ticket.ID, change, http.StatusForbidden, client.ProblemCodeForbidden)
	}
	update(t, agent, ticket.ID, client.UpdateTicketRequest{
		AssigneeID: nullable.NewNullableWithValue(agent.Me(t).ID), Tags: &client.Tags{"a"}, CustomFields: map[string]any{"a": "b"},
		ExternalID: nullable.NewNullableWithValue("1"), SnoozedUntil: nullable.NewNullableWithValue(time.Now().Add(time.Hour)),
	})
	for _, path := range []string{"/tickets", "/tickets/" + ticket.ID.String()} {
		body := string(customer.Do(t, http.MethodGet, path, "").Body)
		for _, member := range []string{"priority", "assignee_id", "tags", "custom_fields", "external_id", "snoozed_until", "waiting_since"} {
			require.NotContains(t, body, `"`+member+`"`, path)
			require.Contains(t, string(agent.Do(t, http.MethodGet, path, "").Body), `"`+member+`"`, path)
		}
	}
}

func TestTicketIsAssignedOnlyToEnabledStaff(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent, leaver := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	leaverID := leaver.Me(t).ID
	storetest.Exec(t, s.DatabaseURL, "UPDATE users SET disabled_at = now() WHERE id = $1", leaverID)
	for _, id := range []uuid.UUID{customer.Me(t).ID, leaverID, uuid.New()} {
		problem := refuse(t, agent, ticket.ID, client.UpdateTicketRequest{AssigneeID: nullable.NewNullableWithValue(id)},
			http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
		require.Equal(t, "/assignee_id", problem.Errors[0].Pointer)
	}
	problem := refuse(t, agent, ticket.ID, client.UpdateTicketRequest{TeamID: nullable.NewNullableWithValue(uuid.New())},
		http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	require.Equal(t, "/team_id", problem.Errors[0].Pointer)
}

func TestExternalIDsAreUniqueAndCustomFieldsLimited(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	first, second := customer.NewTicket(t), customer.NewTicket(t)
	named := client.UpdateTicketRequest{ExternalID: nullable.NewNullableWithValue("CRM-1")}
	update(t, agent, first.ID, named)
	refuse(t, agent, second.ID, named, http.StatusConflict, client.ProblemCodeExternalIDTaken)
	fields := make(map[string]any)
	for i := range 30 {
		fields["f"+strings.Repeat("x", i)] = i
	}
	update(t, agent, first.ID, client.UpdateTicketRequest{CustomFields: fields})
	problem := refuse(t, agent, first.ID, client.UpdateTicketRequest{CustomFields: map[string]any{"one_more": 1}},
		http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	require.Equal(t, "/custom_fields", problem.Errors[0].Pointer)
	for _, body := range []string{
		`{"custom_fields":{"A":1}}`, `{"custom_fields":{"a":{}}}`, `{"custom_fields":{"a":[1]}}`, `{"custom_fields":{"a":1e16}}`,
		`{"tags":["a","a"]}`, `{"snoozed_until":"2026-02-30T00:00:00Z"}`, `{"snoozed_until":"2026-01-01T00:00:00Z"}`,
	} {
		agent.Do(t, http.MethodPatch, "/tickets/"+first.ID.String(), body, contentJSON).
			RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	}
}

// When two agents take a ticket at the same time, one of them gets it.
func TestTicketIsTakenByOneAgent(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	ticket := s.Customer(t).NewTicket(t)
	agents := []*apitest.User{s.Staff(t, sqlc.UserRoleAgent), s.Staff(t, sqlc.UserRoleAgent)}
	read, err := agents[0].GetTicketWithResponse(t.Context(), ticket.ID, nil)
	require.NoError(t, err)
	tag := read.HTTPResponse.Header.Get("ETag")
	results := make([]*plain.UpdateTicketResponse, len(agents))
	var all sync.WaitGroup
	for i, agent := range agents {
		me := client.UpdateTicketRequest{AssigneeID: nullable.NewNullableWithValue(agent.Me(t).ID)}
		all.Go(func() {
			results[i], _ = agent.UpdateTicketWithResponse(t.Context(), ticket.ID, &plain.UpdateTicketParams{IfMatch: &tag}, me)
		})
	}
	all.Wait()
	statuses := []int{results[0].StatusCode(), results[1].StatusCode()}
	require.ElementsMatch(t, []int{http.StatusOK, http.StatusPreconditionFailed}, statuses)
	for i, result := range results {
		if result.JSON200 != nil {
			require.Equal(t, agents[i].Me(t).ID, *getTicket(t, agents[0], ticket).AssigneeID)
		}
	}
}

// Staff who resolve tickets by mistake reopen them.
func TestReopeningByStaffContinuesTheWait(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	reopened := func() client.Timestamp {
		agent.SetStatus(t, ticket.ID, "resolved")
		require.Zero(t, getTicket(t, agent, ticket).WaitingSince)
		agent.SetStatus(t, ticket.ID, "open")
		return getTicket(t, agent, ticket).WaitingSince
	}
	require.Equal(t, ticket.CreatedAt, reopened(), "the description waits")
	agent.Say(t, ticket.ID, "It works now.")
	require.Zero(t, reopened(), "staff have replied")
	said := customer.Say(t, ticket.ID, "It does not.")
	customer.Say(t, ticket.ID, "Hello?")
	require.Equal(t, said.CreatedAt, reopened())
	update(t, agent, ticket.ID, client.UpdateTicketRequest{AIMode: "draft"})
	draft := getComplete(t, agent, agent.Begin(t, ticket.ID).ID)
	published, err := agent.PublishAIResponseWithResponse(t.Context(), draft.ID, nil, client.PublishAIResponseRequest{})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, published.StatusCode(), "%s", published.Body)
	require.Zero(t, reopened(), "a published draft is a reply")
}

func TestMessagesAndChangesSetTheTicketsTimes(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := customer.NewTicket(t)
	shown := func() client.TicketWithMessages { return getTicket(t, agent, ticket) }
	require.Equal(t, ticket.CreatedAt, shown().WaitingSince, "the description waits for a reply")
	require.Zero(t, shown().FirstResponseAt)

	customer.Stream(t, ticket.ID).ReadAll()
	answered := shown()
	require.Equal(t, answered.LastMessageAt, answered.FirstResponseAt)
	require.Equal(t, ticket.CreatedAt, answered.WaitingSince, "an AI answer is not a human reply")

	customer.Say(t, ticket.ID, "And now?")
	require.Equal(t, ticket.CreatedAt, shown().WaitingSince)
	agent.Say(t, ticket.ID, "Now it works.")
	require.Zero(t, shown().WaitingSince)
	require.Equal(t, answered.FirstResponseAt, shown().FirstResponseAt)

	agent.SetStatus(t, ticket.ID, "resolved")
	resolved := shown()
	require.Equal(t, resolved.UpdatedAt, resolved.ResolvedAt)
	refuse(t, agent, ticket.ID, client.UpdateTicketRequest{SnoozedUntil: nullable.NewNullableWithValue(time.Now().Add(time.Hour))},
		http.StatusConflict, client.ProblemCodeInvalidTransition)

	again := customer.Say(t, ticket.ID, "No, it does not.")
	require.Equal(t, again.CreatedAt, shown().WaitingSince)
	require.Zero(t, shown().ResolvedAt)

	update(t, agent, ticket.ID, client.UpdateTicketRequest{SnoozedUntil: nullable.NewNullableWithValue(time.Now().Add(time.Hour))})
	agent.Say(t, ticket.ID, "Tomorrow, then.")
	require.NotZero(t, shown().SnoozedUntil, "staff may write without waking it")
	unanswered := customer.Say(t, ticket.ID, "No: today!")
	require.Zero(t, shown().SnoozedUntil)

	update(t, agent, ticket.ID, client.UpdateTicketRequest{SnoozedUntil: nullable.NewNullableWithValue(time.Now().Add(time.Hour))})
	agent.SetStatus(t, ticket.ID, "resolved")
	require.Zero(t, shown().SnoozedUntil)
	require.Zero(t, shown().WaitingSince)
	agent.SetStatus(t, ticket.ID, "open")
	require.Equal(t, unanswered.CreatedAt, shown().WaitingSince, "reopening by staff continues the wait")
	agent.SetStatus(t, ticket.ID, "resolved")
	customer.SetStatus(t, ticket.ID, "open")
	require.Equal(t, shown().UpdatedAt, shown().WaitingSince)
	statusChanges := slices.DeleteFunc(journalOf(t, s, ticket.ID, "type || ' ' || data::text"), func(entry string) bool {
		return !strings.HasPrefix(entry, "ticket.status_changed ")
	})
	require.Equal(t, []string{
		`ticket.status_changed {"to": "resolved", "from": "open"}`, `ticket.status_changed {"to": "open", "from": "resolved"}`,
	}, statusChanges[:2])
}
