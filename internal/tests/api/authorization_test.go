package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

func TestEveryOperationChecksItsCaller(t *testing.T) {
	t.Parallel()
	d := desk.New(t, desk.Options{})
	for _, o := range specOperations(t) {
		t.Run(o.OperationID, func(t *testing.T) {
			c := castOf(t, d)
			requireStrangersKeptOut(t, c, o)
			requireOthersKeptOut(t, c, o)
			for _, caller := range []*apitest.User{c.owner, c.agent, c.admin} {
				if !may(caller, o) {
					requireForbidden(t, c, o, caller)
					continue
				}
				if caller.ID != c.owner.ID && o.how.only == onlyOwner {
					o.call(t, c, o.ownedIDs(t, c), caller.Bearer()).
						RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
					continue
				}
				got := o.call(t, c, o.ownedIDs(t, c), caller.Bearer())
				if o.how.only == onlyService ||
					caller.Role != sqlc.UserRoleUser && o.how.only == onlyCustomer {
					got.RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
					continue
				}
				require.Contains(t, o.successes(t), got.Status, "%s: %s", caller.Role, got.Body)
			}
		})
	}
	for id := range operations {
		require.True(t, slices.ContainsFunc(specOperations(t), func(o specOperation) bool { return o.OperationID == id }), "%s is not an operation", id)
	}
}

func may(m *apitest.User, o specOperation) bool {
	return o.role == "" || auth.Actor{Role: m.Role}.Has(o.role)
}

// requireStrangersKeptOut checks that callers without a valid token reach only public operations, and change nothing
// elsewhere.
func requireStrangersKeptOut(t *testing.T, c *cast, o specOperation) {
	t.Helper()
	ids := o.ownedIDs(t, c)
	forged := genuineToken(t, c.admin, time.Now())
	forged.key = "not the secret"
	withForged := "Authorization: Bearer " + forged.token(t)
	if o.role == "" {
		for _, header := range [][]string{nil, {withForged}, {"Authorization: Basic eDp5"}} {
			got := o.call(t, c, ids, header...)
			require.Contains(t, o.successes(t), got.Status, "%v: %s", header, got.Body)
		}
		return
	}
	before := c.snapshot(t)
	got := o.call(t, c, ids)
	got.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeUnauthenticated)
	require.Equal(t, []string{`Bearer realm="support"`}, got.Header.Values("WWW-Authenticate"))
	requireSame(t, got, o.call(t, c, o.unknownIDs()), "an existing id and an unknown one")

	got = o.call(t, c, ids, withForged)
	got.RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeInvalidToken)
	require.Equal(t, []string{`Bearer realm="support", error="invalid_token"`}, got.Header.Values("WWW-Authenticate"))

	if o.method == http.MethodGet && !o.streams(t) {
		o.method = http.MethodHead
		require.Equal(t, http.StatusUnauthorized, o.call(t, c, ids).Status)
	}
	require.Equal(t, before, c.snapshot(t))
}

// requireOthersKeptOut checks that another customer sees nothing of the owner's: ids of the owner's things are not
// found, and lists show only the customer's own things.
func requireOthersKeptOut(t *testing.T, c *cast, o specOperation) {
	t.Helper()
	if !may(c.other, o) {
		requireForbidden(t, c, o, c.other)
		return
	}
	if len(o.pathParameters) == 0 {
		ticketID := ownedTicket(t, c)
		got := o.call(t, c, nil, c.other.Bearer())
		require.Contains(t, o.successes(t), got.Status, "%s", got.Body)
		for _, secret := range []string{ticketID, "Secret", c.owner.ID.String(), c.owner.Email} {
			require.NotContains(t, string(got.Body), secret)
		}
		return
	}
	ids := o.ownedIDs(t, c)
	c.requireUnchanged(t, func() {
		foreign := o.call(t, c, ids, c.other.Bearer())
		foreign.RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
		requireSame(t, o.call(t, c, o.unknownIDs(), c.other.Bearer()), foreign, "an unknown id and somebody else's")
	})
}

func requireForbidden(t *testing.T, c *cast, o specOperation, caller *apitest.User) {
	t.Helper()
	ids := o.ownedIDs(t, c)
	before := c.snapshot(t)
	got := o.call(t, c, ids, caller.Bearer())
	got.RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
	require.Equal(t, []string{`Bearer realm="support", error="insufficient_scope"`}, got.Header.Values("WWW-Authenticate"))
	require.Equal(t, before, c.snapshot(t))
}

func TestStaffSeeEverybodysTicketsAndCustomersTheirOwn(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	ticketID := ownedTicket(t, c)
	for _, caller := range []*apitest.User{c.owner, c.other, c.agent, c.admin} {
		got := c.Do(t, http.MethodGet, "/tickets", "", caller.Bearer())
		require.Equal(t, http.StatusOK, got.Status)
		sees := strings.Contains(string(got.Body), ticketID)
		require.Equal(t, caller.ID != c.other.ID, sees, "%s: %s", caller.Role, got.Body)
	}
}

// The role comes from the current account, never from the token.
func TestRoleComesFromTheAccount(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	path := "/tickets/" + ownedTicket(t, c)
	token := genuineToken(t, c.other, time.Now()).saying("role", "admin").saying("scope", "admin").token(t)
	c.Do(t, http.MethodGet, path, "", "Authorization: Bearer "+token).
		RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
}
