package api_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apikey"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/desk"
)

// service is a service with its key.
type service struct {
	row sqlc.ListAPIKeysRow
	key string
}

// bearer returns the Authorization header with the key.
func (s service) bearer() string { return "Authorization: Bearer " + s.key }

func (c *cast) apiKey(t *testing.T, role auth.Role, scopes ...auth.Scope) service {
	t.Helper()
	row, key, err := c.APIKeys.Create(t.Context(), auth.Actor{ID: c.admin.ID}, apikey.NewKey{
		Name: "A service", Role: role, Scopes: scopes,
	})
	require.NoError(t, err)
	return service{row: row, key: key}
}

// customerOf creates a customer of a service whose key may act for customers.
func (c *cast) customerOf(t *testing.T, s service) uuid.UUID {
	t.Helper()
	actor, err := c.Auth.Authenticate(t.Context(), s.key)
	require.NoError(t, err)
	customer, err := c.Auth.ActFor(t.Context(), actor, customerName)
	require.NoError(t, err)
	return customer.ID
}

var allScopes = []auth.Scope{
	auth.ScopeTicketsRead, auth.ScopeTicketsWrite, auth.ScopeAI, auth.ScopeUsers, auth.ScopeEvents, auth.ScopeWebhooks, auth.ScopeOnBehalf,
}

// requireOutOfScope checks that the operation is refused.
func requireOutOfScope(t *testing.T, c *cast, o specOperation, ids []string, header ...string) {
	t.Helper()
	got := o.call(t, c, ids, header...)
	got.RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
	require.Equal(t, []string{`Bearer realm="support", error="insufficient_scope"`}, got.Header.Values("WWW-Authenticate"))
}

func TestEveryOperationRequiresItsScope(t *testing.T) {
	t.Parallel()
	d := desk.New(t, desk.Options{})
	for _, o := range specOperations(t) {
		if o.role == "" {
			continue
		}
		t.Run(o.OperationID, func(t *testing.T) {
			c := castOf(t, d)
			ids := o.ownedIDs(t, c)
			for _, scope := range o.scopes {
				if scope == auth.AnyScope {
					continue
				}
				others := slices.DeleteFunc(slices.Clone(allScopes), func(s auth.Scope) bool { return s == scope })
				outside := c.apiKey(t, auth.RoleAdmin, others...)
				c.requireUnchanged(t, func() {
					requireOutOfScope(t, c, o, ids, outside.bearer())
					requireOutOfScope(t, c, o, o.unknownIDs(), outside.bearer())
					requireOutOfScope(t, c, o, ids, outside.bearer(), "X-On-Behalf-Of: somebody")
				})
			}
			switch o.scopes[0] {
			case auth.NoScope:
				return
			case auth.AnyScope:
				o.scopes = []auth.Scope{auth.ScopeOnBehalf}
			}
			got := o.call(t, c, ids, c.apiKey(t, auth.RoleAdmin, o.scopes...).bearer())
			if o.how.only == onlyCustomer || o.how.only == onlyService {
				got.RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
			} else {
				require.Contains(t, o.successes(t), got.Status, "%s", got.Body)
			}
			requireKeyHasNoMoreThanItsRole(t, c, o)
			requireActingNeedsAKeyThatMay(t, c, o)
		})
	}
}

// requireKeyHasNoMoreThanItsRole checks that a key with the role user reaches only its own things.
func requireKeyHasNoMoreThanItsRole(t *testing.T, c *cast, o specOperation) {
	t.Helper()
	key := c.apiKey(t, auth.RoleUser, allScopes...)
	if o.role != sqlc.UserRoleUser {
		ids := o.ownedIDs(t, c)
		c.requireUnchanged(t, func() { requireOutOfScope(t, c, o, ids, key.bearer()) })
		return
	}
	for _, header := range [][]string{{key.bearer()}, {key.bearer(), "X-On-Behalf-Of: somebody"}} {
		if len(o.pathParameters) > 0 {
			foreign := o.call(t, c, o.ownedIDs(t, c), header...)
			foreign.RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
			requireSame(t, o.call(t, c, o.unknownIDs(), header...), foreign, "an unknown id and somebody else's")
			continue
		}
		ownedTicket(t, c)
		got := o.call(t, c, nil, header...)
		require.Contains(t, o.successes(t), got.Status, "%s", got.Body)
		require.NotContains(t, string(got.Body), "Secret")
	}
}

// requireActingNeedsAKeyThatMay checks that only a key with on_behalf acts for customers, and only in operations for
// customers.
func requireActingNeedsAKeyThatMay(t *testing.T, c *cast, o specOperation) {
	t.Helper()
	ids := o.ownedIDs(t, c)
	may := c.apiKey(t, auth.RoleAdmin, allScopes...)
	if !o.actsForCustomers() {
		got := o.call(t, c, ids, may.bearer(), "X-On-Behalf-Of: somebody")
		got.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
		return
	}
	mayNot := c.apiKey(t, auth.RoleAdmin, allScopes[:len(allScopes)-1]...)
	c.requireUnchanged(t, func() {
		for _, bearer := range []string{c.owner.Bearer(), c.agent.Bearer(), c.admin.Bearer(), mayNot.bearer()} {
			requireOutOfScope(t, c, o, ids, bearer, "X-On-Behalf-Of: somebody")
		}
		for name, values := range malformedCustomers {
			header := []string{may.bearer()}
			for _, value := range values {
				header = append(header, "X-On-Behalf-Of: "+value)
			}
			got := o.call(t, c, ids, header...)
			problem := got.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
			require.Equal(t, "/X-On-Behalf-Of", problem.Errors[0].Pointer, name)
		}
	})
}
