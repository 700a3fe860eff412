package api_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

// malformedCustomers are values of X-On-Behalf-Of that break the contract.
var malformedCustomers = map[string][]string{
	"nothing":          {""},
	"129 characters":   {strings.Repeat("a", 129)},
	"a space within":   {"a b"},
	"a tab within":     {"a\tb"},
	"no ASCII":         {"andr\u00e9"},
	"a Latin 1 letter": {"andr\xe9"},
	"two of them":      {"a", "b"},
	"the same twice":   {"a", "a"},
}

// openEvents opens a stream as a browser does, and returns a function that reads it to its end.
func openEvents(t *testing.T, s *desk.Desk, path string) (read func() string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, http.NoBody)
	require.NoError(t, err)
	response, err := s.HTTP.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
	return func() string {
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return string(text)
	}
}

func TestServiceActsAsItsCustomers(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	created := admin.NewAPIKey(t, client.CreateAPIKeyRequest{Role: client.RoleAgent})
	shop := s.Service(t, created.Key, "")
	ada, bob := s.Service(t, created.Key, "ada"), s.Service(t, created.Key, "Bob/4711")
	require.NotEqual(t, ada.Me(t).ID, bob.Me(t).ID)
	require.Equal(t, client.RoleUser, ada.Me(t).Role, "whatever the service's role is")
	require.Equal(t, ada.Me(t).ID, s.Service(t, created.Key, "ada").Me(t).ID)
	require.NotEqual(t, ada.Me(t).ID, s.Service(t, created.Key, "Ada").Me(t).ID, "ids are compared exactly")
	require.Equal(t, shop.Me(t).ID, created.ServiceID)

	ticket := ada.NewTicket(t)
	require.Equal(t, ada.Me(t).ID, ticket.UserID)
	path := "/tickets/" + ticket.ID.String()
	foreign := bob.Do(t, http.MethodGet, path, "", fixedRequestID)
	requireSame(t, bob.Do(t, http.MethodGet, "/tickets/"+uuid.NewString(), "", fixedRequestID), foreign, "an unknown id and another customer's")
	require.Equal(t, "[]", strings.TrimSpace(string(bob.Do(t, http.MethodGet, "/tickets", "").Body)))
	require.NotNil(t, ada.Stream(t, ticket.ID).ReadAll().Done)
	require.Equal(t, http.StatusOK, shop.Do(t, http.MethodGet, path, "").Status, "the service itself is staff")
	require.Equal(t, http.StatusOK, s.Staff(t, sqlc.UserRoleAgent).Do(t, http.MethodGet, path, "").Status)

	next := admin.NewAPIKey(t, client.CreateAPIKeyRequest{ServiceID: &created.ServiceID})
	require.Equal(t, ada.Me(t).ID, s.Service(t, next.Key, "ada").Me(t).ID, "customers are the service's, not its key's")
	other := admin.NewAPIKey(t, client.CreateAPIKeyRequest{})
	stranger := s.Service(t, other.Key, "ada")
	require.NotEqual(t, ada.Me(t).ID, stranger.Me(t).ID, "the same id at another service is another customer")
	stranger.Do(t, http.MethodGet, path, "").RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
}

func TestParallelFirstRequestsCreateOneCustomer(t *testing.T) {
	t.Parallel()
	const callers = 50
	first := desk.New(t, desk.Options{NoAI: true})
	servers := []*desk.Desk{first, desk.New(t, desk.Options{DatabaseURL: first.DatabaseURL, NoAI: true})}
	created := first.Staff(t, sqlc.UserRoleAdmin).NewAPIKey(t, client.CreateAPIKeyRequest{})
	before := countRows(t, first, "users")
	var requests []func()
	ids := make([]uuid.UUID, callers)
	for i := range callers {
		caller := servers[i%2].Service(t, created.Key, "ada")
		requests = append(requests, func() { ids[i] = caller.NewTicket(t).UserID })
	}
	race(requests...)
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	require.Equal(t, 1, countRows(t, first, "service_customers"))
	require.Equal(t, before+1, countRows(t, first, "users"))
	require.Equal(t, callers, countRows(t, first, "tickets WHERE user_id = $1", ids[0]))
}

func TestRefusedRequestCreatesNoCustomer(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	created := admin.NewAPIKey(t, client.CreateAPIKeyRequest{Role: client.RoleAdmin})
	before := countRows(t, s, "users")
	customer := "X-On-Behalf-Of: ada"
	admin.Do(t, http.MethodGet, "/tickets", "", customer).RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
	s.Service(t, created.Key+"x", "ada").Do(t, http.MethodGet, "/tickets", "").
		RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
	s.Do(t, http.MethodGet, "/tickets", "", customer).
		RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeUnauthenticated)
	s.Service(t, created.Key, "ada").Do(t, http.MethodGet, "/users", "").
		RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	require.Equal(t, before, countRows(t, s, "users"))
	require.Zero(t, countRows(t, s, "service_customers"))
}

// Every operation either honors X-On-Behalf-Of or refuses the request, whoever sends it.
func TestOnBehalfOfIsHonouredOrRefused(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	key := admin.NewAPIKey(t, client.CreateAPIKeyRequest{Role: client.RoleAdmin}).Key
	for _, o := range specOperations(t) {
		path := regexp.MustCompile(`\{[a-z_]+\}`).ReplaceAllString(o.template, uuid.NewString())
		person := s.Do(t, o.method, path, "", "Authorization: Bearer "+admin.Token, "X-On-Behalf-Of: ada")
		switch {
		case o.actsForCustomers(): // Only services may act for customers.
			person.RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
		default:
			problem := person.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
			require.Equal(t, []client.FieldError{{Pointer: "/X-On-Behalf-Of", Code: client.FieldErrorCodeUnknown, In: client.FieldErrorInHeader}}, problem.Errors)
			require.Equal(t, http.StatusBadRequest, s.Do(t, o.method, path, "", "Authorization: Bearer "+admin.Token, "X-On-Behalf-Of: ").Status)
			service := s.Do(t, o.method, path, "", "Authorization: Bearer "+key, "X-On-Behalf-Of: ada")
			require.Contains(t, []int{http.StatusBadRequest, http.StatusForbidden}, service.Status, o.OperationID)
		}
	}
	require.Zero(t, countRows(t, s, "service_customers"))
	require.Len(t, admin.Sessions(t), 1, "nobody was logged out")
}

func TestCustomerIDsOfAllLengthsAndCharactersAreAccepted(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	created := s.Staff(t, sqlc.UserRoleAdmin).NewAPIKey(t, client.CreateAPIKeyRequest{})
	seen := make(map[uuid.UUID]bool)
	for _, name := range []string{strings.Repeat("~", 128), "!", "a,b", `"';--`, "%00", "../..", "0", "null", uuid.Nil.String()} {
		seen[s.Service(t, created.Key, name).Me(t).ID] = true
	}
	require.Len(t, seen, 9)
}

func TestKeysAndCursorsBelongToOneCustomer(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	created := s.Staff(t, sqlc.UserRoleAdmin).NewAPIKey(t, client.CreateAPIKeyRequest{})
	shop, ada, bob := s.Service(t, created.Key, ""), s.Service(t, created.Key, "ada"), s.Service(t, created.Key, "bob")
	body := `{"title":"A title","description":"A description."}`
	for _, caller := range []*apitest.User{ada, bob, shop} {
		r := caller.Do(t, http.MethodPost, "/tickets", body, contentJSON, "Idempotency-Key: the-same")
		require.Equal(t, http.StatusCreated, r.Status, "%s", r.Body)
		require.Empty(t, r.Header.Get("Idempotency-Replayed"))
		r = caller.Do(t, http.MethodPost, "/tickets", body, contentJSON, "Idempotency-Key: the-same")
		require.Equal(t, "true", r.Header.Get("Idempotency-Replayed"))
		require.Contains(t, string(r.Body), caller.Me(t).ID.String())
	}
	require.Equal(t, 3, countRows(t, s, "tickets"))
	ada.NewTicket(t)
	next := nextPage(t, ada.Do(t, http.MethodGet, "/tickets?limit=1", ""))
	require.Equal(t, http.StatusOK, ada.Do(t, http.MethodGet, next, "").Status)
	for _, caller := range []*apitest.User{bob, shop} {
		caller.Do(t, http.MethodGet, next, "").RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	}
}

func TestAIBudgetBelongsToTheCustomerActedFor(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Budget: assistant.Budget{PerMinute: 1}})
	created := s.Staff(t, sqlc.UserRoleAdmin).NewAPIKey(t, client.CreateAPIKeyRequest{})
	for _, name := range []string{"ada", "bob"} {
		customer := s.Service(t, created.Key, name)
		require.NotNil(t, customer.Stream(t, customer.NewTicket(t).ID).ReadAll().Done)
		customer.OpenStream(t, customer.NewTicket(t).ID, "").
			RequireProblem(http.StatusTooManyRequests, client.ProblemCodeAIQuota)
	}
}

func TestDisabledCustomerIsRefusedOnEveryReplicaWithinASecond(t *testing.T) {
	t.Parallel()
	here, there, clock := replicas(t)
	admin := here.Staff(t, sqlc.UserRoleAdmin)
	created := admin.NewAPIKey(t, client.CreateAPIKeyRequest{})
	var id uuid.UUID
	for _, s := range []*desk.Desk{here, there} {
		id = s.Service(t, created.Key, "ada").Me(t).ID
	}
	mustChangeUser(t, admin, id, `{"disabled":true}`)
	clock.Advance(time.Second)
	for _, s := range []*desk.Desk{here, there} {
		s.Service(t, created.Key, "ada").Do(t, http.MethodGet, "/me", "").
			RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
		require.Equal(t, http.StatusOK, s.Service(t, created.Key, "bob").Do(t, http.MethodGet, "/me", "").Status)
	}
	// Even if an administrator makes the customer staff by mistake, the service does not become staff.
	mustChangeUser(t, admin, id, `{"disabled":false,"role":"admin"}`)
	clock.Advance(time.Second)
	require.Equal(t, client.RoleUser, there.Service(t, created.Key, "ada").Me(t).Role)
}

func TestCustomersTokenActsForNobodyElse(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	created := s.Staff(t, sqlc.UserRoleAdmin).NewAPIKey(t, client.CreateAPIKeyRequest{})
	ada := s.Service(t, created.Key, "ada")
	token, err := ada.CreateStreamTokenWithResponse(t.Context(), ada.NewTicket(t).ID, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, token.StatusCode(), "%s", token.Body)
	s.Do(t, http.MethodGet, token.JSON201.URL, "", "X-On-Behalf-Of: bob").
		RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
	require.Equal(t, 1, countRows(t, s, "service_customers"))
	require.Contains(t, openEvents(t, s, token.JSON201.URL)(), "event: done")
}

func TestStreamTokenOfAServiceActsForNoCustomer(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	created := s.Staff(t, sqlc.UserRoleAdmin).NewAPIKey(t, client.CreateAPIKeyRequest{Role: client.RoleAgent})
	shop := s.Service(t, created.Key, "")
	token := newStreamToken(t, shop, shop.NewTicket(t).ID)
	for _, name := range []string{"ada", "bob"} {
		s.Do(t, http.MethodGet, token.URL, "", "X-On-Behalf-Of: "+name).
			RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
	}
	require.Zero(t, countRows(t, s, "service_customers"), "a stream token creates no accounts")
	require.Contains(t, openEvents(t, s, token.URL)(), "event: done")
}
