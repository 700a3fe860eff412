package api_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

const (
	customerName = "customer-4711"
	displayName  = "Ada Lovelace \U0001F44B"
)

// shop is a service with a customer who has a ticket, and other callers who may or may not see whose ticket it is.
type shop struct {
	*desk.Desk
	admin, agent *apitest.User
	// self is the service itself, and ada is its customer.
	self, ada *apitest.User
	// rival is another service with a customer of the same id, and desk is one with the role agent.
	rival, desk *apitest.User

	adaID    uuid.UUID
	ticketID uuid.UUID
	want     client.Customer
}

func newShop(t *testing.T) *shop {
	t.Helper()
	return newShopOn(t, desk.Options{})
}

func newShopOn(t *testing.T, o desk.Options) *shop {
	t.Helper()
	s := &shop{Desk: desk.New(t, o)}
	s.admin, s.agent = s.Staff(t, sqlc.UserRoleAdmin), s.Staff(t, sqlc.UserRoleAgent)
	key := s.admin.NewAPIKey(t, client.CreateAPIKeyRequest{Role: client.RoleAgent})
	s.self, s.ada = s.Service(t, key.Key, ""), s.Service(t, key.Key, customerName)
	rival := s.admin.NewAPIKey(t, client.CreateAPIKeyRequest{})
	s.rival = s.Service(t, rival.Key, "")
	s.Service(t, rival.Key, customerName).NewTicket(t)
	s.desk = s.Service(t, s.admin.NewAPIKey(t, client.CreateAPIKeyRequest{Role: client.RoleAdmin}).Key, "")
	s.adaID, s.ticketID = s.ada.Me(t).ID, s.ada.NewTicket(t).ID
	s.want = client.Customer{ServiceID: key.ServiceID, ExternalID: customerName, DisplayName: displayName}
	return s
}

func (s *shop) customerPath() string { return "/users/" + s.adaID.String() + "/customer" }

// name sets the customer's name as a caller.
func (s *shop) name(t *testing.T, by *apitest.User, name string) apitest.Response {
	t.Helper()
	return by.Do(t, http.MethodPut, s.customerPath(), jsonText(t, map[string]string{"display_name": name}), contentJSON)
}

func (s *shop) mustName(t *testing.T, name string) {
	t.Helper()
	require.Equal(t, http.StatusOK, s.name(t, s.self, name).Status)
}

func TestStaffAndTheServiceSeeWhoseTicketItIs(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	named, err := s.self.PutCustomerWithResponse(t.Context(), s.adaID, client.PutCustomerRequest{DisplayName: displayName})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, named.StatusCode(), "%s", named.Body)
	require.Equal(t, s.want, *named.JSON200)
	require.Equal(t, 1, storetest.QueryInt(t, s.DatabaseURL,
		"SELECT count(*) FROM journal_outbox WHERE type = 'user.updated' AND subject_id = $1", s.adaID))
	status := client.TicketStatusPending
	for name, caller := range map[string]*apitest.User{"agent": s.agent, "admin": s.admin, "service": s.self} {
		got, err := caller.GetTicketWithResponse(t.Context(), s.ticketID, nil)
		require.NoError(t, err)
		require.Equal(t, &s.want, got.JSON200.Customer, name)
		account, err := caller.GetUserWithResponse(t.Context(), s.adaID, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, account.StatusCode(), "%s: %s", name, account.Body)
		require.Equal(t, &s.want, account.JSON200.Customer, name)
		list, err := caller.ListTicketsWithResponse(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, *list.JSON200, 2, name)
		require.Equal(t, &s.want, (*list.JSON200)[0].Customer, name)
		changed, err := caller.UpdateTicketWithResponse(t.Context(), s.ticketID, nil, client.UpdateTicketRequest{Status: status})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, changed.StatusCode(), "%s", changed.Body)
		require.Equal(t, &s.want, changed.JSON200.Customer, name)
		status = map[client.TicketStatus]client.TicketStatus{"pending": "open", "open": "pending"}[status]
	}
	for _, query := range []string{"", "&email=" + s.adaID.String()} {
		r := s.admin.Do(t, http.MethodGet, "/users?limit=200"+query, "")
		var accounts []client.Account
		require.NoError(t, json.Unmarshal(r.Body, &accounts))
		shown := map[uuid.UUID]*client.Customer{}
		for _, account := range accounts {
			shown[account.ID] = account.Customer
		}
		require.Equal(t, &s.want, shown[s.adaID])
		require.Nil(t, shown[s.admin.ID])
	}
	require.Equal(t, &s.want, mustChangeUser(t, s.admin, s.adaID, `{"disabled":false}`).Customer)
}

// Customers and other services never see the id and the name that a service has for its customer.
func TestNobodyElseSeesAServicesNameForItsCustomer(t *testing.T) {
	t.Parallel()
	s := newShopOn(t, desk.Options{Journal: true})
	s.mustName(t, displayName)
	done := s.ada.Stream(t, s.ticketID).ReadAll().Done
	require.NotNil(t, done)
	ids := map[string]uuid.UUID{
		"ticket_id": s.ticketID, "user_id": s.adaID, "message_id": done.Message.ID, "ai_response_id": done.AIResponseID,
	}
	read := map[string]int{}
	callers := map[string]*apitest.User{
		"the customer": s.ada, "another customer": s.Customer(t), "another service": s.rival, "a service with the role admin": s.desk,
	}
	for name, caller := range callers {
		all := eventsUntil(t, caller, caller.NewTicket(t).ID)
		for _, secret := range []string{customerName, "Lovelace"} {
			require.NotContains(t, all, secret, "the events of %s", name)
		}
	}
	for _, o := range specOperations(t) {
		if o.method != http.MethodGet || o.role == "" || isEndless(o) {
			continue
		}
		path := o.template + o.how.query
		for _, name := range o.pathParameters {
			path = strings.ReplaceAll(path, "{"+name+"}", cmp.Or(ids[name], uuid.New()).String())
		}
		for name, caller := range callers {
			r := caller.Do(t, http.MethodGet, path, "")
			for _, secret := range []string{customerName, "Lovelace"} {
				require.NotContains(t, string(r.Body), secret, "%s reads %s", name, path)
			}
			if r.Status == http.StatusOK {
				read[name]++
			}
		}
	}
	require.Greater(t, read["the customer"], 5)
	require.Greater(t, read["a service with the role admin"], 5)
	for _, change := range []string{`{"status":"pending"}`, `{"status":"open"}`} {
		for _, caller := range []*apitest.User{s.ada, s.desk} {
			r := caller.Do(t, http.MethodPatch, "/tickets/"+s.ticketID.String(), change, contentJSON)
			require.NotContains(t, string(r.Body), customerName)
		}
	}
	r := changeUser(t, s.desk, s.adaID, `{"disabled":false}`)
	require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
	require.NotContains(t, string(r.Body), customerName)
}

// eventsUntil streams the events that a caller sees, from the first one to the opening of a ticket.
func eventsUntil(t *testing.T, caller *apitest.User, ticketID uuid.UUID) string {
	t.Helper()
	stream := caller.OpenEvents(t, "")
	defer stream.Close()
	var all strings.Builder
	for !strings.Contains(all.String(), ticketID.String()) {
		e, more := stream.Next()
		require.True(t, more)
		all.WriteString(e.Data + "\n")
	}
	return all.String()
}

func TestAccountsAreSeenByStaffTheirServiceAndTheirOwner(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	person := s.Customer(t)
	get := func(by *apitest.User, id uuid.UUID) int {
		return by.Do(t, http.MethodGet, "/users/"+id.String(), "").Status
	}
	require.Equal(t, http.StatusOK, get(s.agent, person.ID))
	require.Equal(t, http.StatusOK, get(s.agent, s.adaID))
	require.Equal(t, http.StatusOK, get(person, person.ID))
	require.Equal(t, http.StatusOK, get(s.ada, s.adaID), "as the customer itself")
	require.Equal(t, http.StatusNotFound, get(person, s.adaID))
	require.Equal(t, http.StatusNotFound, get(s.ada, person.ID))
	require.Equal(t, http.StatusNotFound, get(s.rival, s.adaID))
	require.Equal(t, http.StatusNotFound, get(s.rival, person.ID))
}

func TestOnlyItsOwnServiceSetsACustomersName(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.mustName(t, displayName)
	for name, caller := range map[string]*apitest.User{
		"an administrator": s.admin, "the customer": s.ada, "another customer": s.Customer(t), "another service": s.rival,
		"a service with the role admin": s.desk,
	} {
		s.name(t, caller, name).RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
	}
	nobody := "/users/" + s.admin.ID.String() + "/customer"
	s.self.Do(t, http.MethodPut, nobody, `{}`, contentJSON).RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
	for _, name := range []string{"", " \u00a0", "two\nlines", strings.Repeat("x", 101), "\x00"} {
		s.name(t, s.self, name).RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
	}
	got, err := s.agent.GetTicketWithResponse(t.Context(), s.ticketID, nil)
	require.NoError(t, err)
	require.Equal(t, displayName, got.JSON200.Customer.DisplayName)
	require.Equal(t, 1, countRows(t, s.Desk, "service_customers WHERE display_name IS NOT NULL"))

	s.mustName(t, strings.Repeat("\U0001F44B", 100))
	require.Equal(t, http.StatusOK, s.self.Do(t, http.MethodPut, s.customerPath(), `{}`, contentJSON).Status)
	require.Zero(t, countRows(t, s.Desk, "service_customers WHERE display_name IS NOT NULL"))
}

// A customer's name changes without the ticket. The ETag changes for those who see the name, and for nobody else.
func TestETagOfATicketCoversTheCustomersName(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	path := "/tickets/" + s.ticketID.String()
	before, adas := ticketTag(t, s.agent, s.ticketID), ticketTag(t, s.ada, s.ticketID)
	require.Equal(t, before, adas)
	s.mustName(t, displayName)
	after := ticketTag(t, s.agent, s.ticketID)
	require.NotEqual(t, before, after)
	require.Equal(t, http.StatusNotModified, s.agent.Do(t, http.MethodGet, path, "", "If-None-Match: "+after).Status)
	require.Equal(t, http.StatusNotModified, s.ada.Do(t, http.MethodGet, path, "", "If-None-Match: "+adas).Status)
	change := `{"status":"pending"}`
	s.agent.Do(t, http.MethodPatch, path, change, contentJSON, `If-Match: "0.`+strings.Trim(after, `"`)+`"`).
		RequireProblem(t, http.StatusPreconditionFailed, client.ProblemCodePreconditionFailed)
	r := s.agent.Do(t, http.MethodPatch, path, change, contentJSON, "If-Match: "+after)
	require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
	require.Equal(t, r.Header.Get("ETag"), ticketTag(t, s.agent, s.ticketID))
	require.Equal(t, http.StatusOK, s.ada.Do(t, http.MethodPatch, path, `{"status":"open"}`, contentJSON,
		"If-Match: "+ticketTag(t, s.ada, s.ticketID)).Status)
}
