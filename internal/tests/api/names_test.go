package api_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// authorNames returns the authors' names that a reader sees in a ticket, and checks that the ticket and the list agree.
func authorNames(t *testing.T, reader *apitest.User, ticketID uuid.UUID) (names []string) {
	t.Helper()
	messages := reader.Messages(t, ticketID)
	var listed []client.Message
	require.NoError(t, json.Unmarshal(reader.Do(t, http.MethodGet, "/tickets/"+ticketID.String()+"/messages", "").Body, &listed))
	require.Equal(t, listed, messages)
	for _, message := range messages {
		names = append(names, message.Author.Name)
	}
	return names
}

func TestMessagesHaveTheNamesOfTheirAuthors(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.mustName(t, displayName)
	require.Equal(t, "Grace Hopper", mustChangeUser(t, s.admin, s.agent.ID, `{"display_name":"Grace Hopper"}`).DisplayName)
	require.Equal(t, "Grace Hopper", s.agent.Me(t).DisplayName, "changing the name does not invalidate the access token")
	said := s.ada.Say(t, s.ticketID, "A question")
	require.Empty(t, said.Author.Name, "a customer does not see the service's name for them")
	require.Equal(t, "Grace Hopper", s.agent.Say(t, s.ticketID, "A reply").Author.Name)
	require.Equal(t, "Grace Hopper", addNote(t, s.agent, s.ticketID, "A note").Author.Name)
	s.ada.Say(t, s.ticketID, "Another question")
	require.NotNil(t, s.ada.Stream(t, s.ticketID).ReadAll().Done)

	require.Equal(t, []string{"", "Grace Hopper", "", ""}, authorNames(t, s.ada, s.ticketID))
	for name, staff := range map[string]*apitest.User{"agent": s.agent, "admin": s.admin, "its service": s.self} {
		require.Equal(t, []string{displayName, "Grace Hopper", "Grace Hopper", displayName, ""},
			authorNames(t, staff, s.ticketID), name)
	}
	require.Equal(t, []string{"", "Grace Hopper", "Grace Hopper", "", ""}, authorNames(t, s.desk, s.ticketID), "another service")
	require.Equal(t, displayName, redact(t, s.agent, said.ID).Author.Name)

	tag := "If-None-Match: " + ticketTag(t, s.ada, s.ticketID)
	require.Equal(t, http.StatusNotModified, s.ada.Do(t, http.MethodGet, "/tickets/"+s.ticketID.String(), "", tag).Status)
	require.Empty(t, mustChangeUser(t, s.admin, s.agent.ID, `{"display_name":null}`).DisplayName)
	require.Equal(t, http.StatusOK, s.ada.Do(t, http.MethodGet, "/tickets/"+s.ticketID.String(), "", tag).Status)
	require.Equal(t, []string{"", "", "", ""}, authorNames(t, s.ada, s.ticketID))
	mustChangeUser(t, s.admin, s.agent.ID, `{"display_name":null}`)
	require.Equal(t, `{"changed": ["display_name"]} {"changed": ["display_name"]}`, storetest.QueryText(t, s.DatabaseURL,
		"SELECT string_agg(data::text, ' ') FROM journal_outbox WHERE type = 'user.updated' AND subject_id = $1", s.agent.ID))
}

func TestAccountIsCreatedWithAName(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	created, err := s.admin.CreateUserWithResponse(t.Context(), nil, client.CreateUserRequest{
		Email: freshEmail(), Password: apitest.Password, DisplayName: "Grace Hopper",
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	require.Equal(t, "Grace Hopper", created.JSON201.DisplayName)
	customer := s.LogIn(t, created.JSON201.Email, apitest.Password)
	ticket := customer.NewTicket(t)
	customer.Say(t, ticket.ID, "A question")
	require.Equal(t, []string{"Grace Hopper"}, authorNames(t, s.agent, ticket.ID))
	for _, name := range []string{`""`, `"\n"`, `"two\nlines"`, `7`} {
		changeUser(t, s.admin, customer.ID, `{"display_name":`+name+`}`).
			RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	}
	erased, err := s.admin.DeleteUserDataWithResponse(t.Context(), customer.ID)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, erased.StatusCode())
	requireNowhere(t, s.Desk, "Grace Hopper")
}

func TestEverybodyChangesTheirOwnName(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	customer := s.Customer(t)
	ticket := customer.NewTicket(t)
	for name, u := range map[string]*apitest.User{"Ada Lovelace": customer, "Grace Hopper": s.agent} {
		before := countRows(t, s.Desk, "journal_outbox WHERE type = 'user.updated' AND actor_id = $1 AND subject_id = $1", u.ID)
		for range 2 { // The second time, nothing changes.
			named := u.Do(t, http.MethodPatch, "/me", `{"display_name":"`+name+`"}`, contentJSON)
			require.Equal(t, http.StatusOK, named.Status, "%s", named.Body)
			require.Contains(t, string(named.Body), name)
			require.Equal(t, name, u.Me(t).DisplayName)
		}
		require.Equal(t, before+1, countRows(t, s.Desk, "journal_outbox WHERE type = 'user.updated' AND actor_id = $1 AND subject_id = $1", u.ID))
	}
	customer.Say(t, ticket.ID, "A question")
	s.agent.Say(t, ticket.ID, "An answer")
	require.Equal(t, []string{"Ada Lovelace", "Grace Hopper"}, authorNames(t, customer, ticket.ID))
	for _, name := range []string{`""`, `"two\nlines"`, `7`} {
		customer.Do(t, http.MethodPatch, "/me", `{"display_name":`+name+`}`, contentJSON).
			RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	}
	require.Equal(t, http.StatusOK, customer.Do(t, http.MethodPatch, "/me", `{"display_name":null}`, contentJSON).Status)
	require.Empty(t, customer.Me(t).DisplayName)
	require.Equal(t, []string{"", "Grace Hopper"}, authorNames(t, customer, ticket.ID))
}
