package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// changeUser sends the change as raw JSON.
func changeUser(t *testing.T, by *apitest.User, id uuid.UUID, change string) apitest.Response {
	t.Helper()
	return by.Do(t, http.MethodPatch, "/users/"+id.String(), change, contentJSON)
}

func mustChangeUser(t *testing.T, by *apitest.User, id uuid.UUID, change string) client.Account {
	t.Helper()
	r := changeUser(t, by, id, change)
	require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
	var account client.Account
	require.NoError(t, json.Unmarshal(r.Body, &account))
	return account
}

func TestAdministratorsCreateAccountsOfEveryRole(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	for _, role := range []client.Role{"", client.RoleUser, client.RoleAgent, client.RoleAdmin} {
		email := freshEmail()
		created, err := admin.CreateUserWithResponse(t.Context(), nil, client.CreateUserRequest{
			Email: strings.ToUpper(email), Password: apitest.Password, Role: role,
		})
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
		want := role
		if role == "" {
			want = client.RoleUser
		}
		require.Equal(t, want, created.JSON201.Role)
		require.Equal(t, email, created.JSON201.Email)
		require.False(t, created.JSON201.Disabled)
		require.Equal(t, "/users/"+created.JSON201.ID.String(), created.HTTPResponse.Header.Get("Location"))

		got, err := admin.GetUserWithResponse(t.Context(), created.JSON201.ID, nil)
		require.NoError(t, err)
		require.Equal(t, created.JSON201, got.JSON200)
		require.Equal(t, created.JSON201.ID, s.LogIn(t, email, apitest.Password).ID)

		again, err := admin.CreateUserWithResponse(t.Context(), nil, client.CreateUserRequest{Email: email, Password: apitest.Password})
		require.NoError(t, err)
		apitest.RequireProblem(t, again.StatusCode(), again.Body, http.StatusConflict, client.ProblemCodeEmailTaken)
	}
	weak, err := admin.CreateUserWithResponse(t.Context(), nil, client.CreateUserRequest{Email: freshEmail(), Password: "password1"})
	require.NoError(t, err)
	apitest.RequireProblem(t, weak.StatusCode(), weak.Body, http.StatusUnprocessableEntity, client.ProblemCodeWeakPassword)
}

func TestOnlyAdministratorsManageAccounts(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer := s.Customer(t)
	for _, caller := range []*apitest.User{customer, s.Staff(t, sqlc.UserRoleAgent)} {
		for _, r := range []apitest.Response{
			changeUser(t, caller, caller.ID, `{"role":"admin"}`),
			changeUser(t, caller, customer.ID, `{"disabled":true}`),
			caller.Do(t, http.MethodPost, "/users", `{"email":"a@example.com","password":"correct horse","role":"admin"}`, contentJSON),
		} {
			r.RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
			require.Equal(t, []string{`Bearer realm="support", error="insufficient_scope"`}, r.Header.Values("WWW-Authenticate"))
		}
		// Nobody can change their own role.
		requireRefused(t, caller.Do(t, http.MethodPatch, "/me", `{"display_name":"Ada","role":"admin"}`, contentJSON),
			http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed, "/role unknown")
		for _, method := range []string{http.MethodPut, http.MethodPost} {
			caller.Do(t, method, "/me", `{"role":"admin"}`, contentJSON).
				RequireProblem(t, http.StatusMethodNotAllowed, client.ProblemCodeMethodNotAllowed)
		}
	}
	customer.Do(t, http.MethodGet, "/users", "").RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
	require.Equal(t, 1, countRows(t, s, "users WHERE role = 'user'"))
	require.Equal(t, 1, countRows(t, s, "users WHERE role = 'agent'"))
	require.Zero(t, countRows(t, s, "users WHERE role = 'admin'"))
}

func TestAccountsAreListedInPagesByFilter(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin := s.Staff(t, sqlc.UserRoleAdmin)
	ids := map[string]string{admin.Email: admin.ID.String()}
	for i := range 5 {
		for _, role := range []sqlc.UserRole{sqlc.UserRoleUser, sqlc.UserRoleAgent} {
			user, err := s.Store.CreateUser(t.Context(), sqlc.CreateUserParams{
				ID: uuid.Must(uuid.NewV7()), Email: fmt.Sprintf("kim_%d.%s@example.com", i, role), PasswordHash: "x", Role: role,
			})
			require.NoError(t, err)
			ids[user.Email] = user.ID.String()
		}
	}
	list := func(query string) (emails []string) {
		path := "/users?limit=2&" + query
		for {
			r := admin.Do(t, http.MethodGet, path, "")
			require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
			var page []client.Account
			require.NoError(t, json.Unmarshal(r.Body, &page))
			require.LessOrEqual(t, len(page), 2)
			for _, account := range page {
				emails = append(emails, account.Email)
			}
			if r.Header.Get("Link") == "" {
				return emails
			}
			path = nextPage(t, r)
		}
	}
	require.Len(t, list(""), 11)
	require.Equal(t, admin.Email, list("")[10], "newest first")
	require.Len(t, list("role=agent"), 5)
	require.Len(t, list("email=kim"), 10)
	require.Len(t, list("email=KIM_&role=user"), 5)
	require.Len(t, list("role=staff"), 6)
	require.Len(t, list("email=kim&role=staff"), 5)
	named := slices.Collect(maps.Values(ids))
	require.ElementsMatch(t, slices.Collect(maps.Keys(ids)), list("ids="+strings.Join(named, ",")))
	require.Len(t, list("role=staff&ids="+strings.Join(named, ",")), 6)
	require.Len(t, list("role=admin&ids="+strings.Join(named, ",")), 1)
	require.Len(t, list("role=user&email=kim&ids="+strings.Join(named, ",")), 5)
	two := ids["kim_3.user@example.com"] + "," + ids["kim_1.agent@example.com"]
	require.Equal(t, []string{"kim_3.user@example.com", "kim_1.agent@example.com"}, list("ids="+two+","+uuid.NewString()+","+two))
	require.Empty(t, list("ids="+uuid.NewString()))
	require.Equal(t, []string{"kim_3.user@example.com"}, list("email="+url.QueryEscape("ｋｉｍ_3.User@example.com")))
	require.Equal(t, []string{admin.Email}, list("email="+url.QueryEscape(admin.Email)))
	for _, nobody := range []string{"im_", "%", "kim%", "kim?", "kim-", "kim_3.user@example.comm", "\u043Aim", "'"} {
		require.Empty(t, list("email="+url.QueryEscape(nobody)), "%q", nobody)
	}

	filtered := nextPage(t, admin.Do(t, http.MethodGet, "/users?limit=2&role=agent", ""))
	cursor, _, _ := strings.Cut(filtered[strings.Index(filtered, "cursor=")+7:], "&")
	for _, other := range []string{"", "role=user&", "role=staff&", "email=kim&", "role=agent&email=kim&", "role=agent&ids=" + two + "&"} {
		admin.Do(t, http.MethodGet, "/users?"+other+"cursor="+cursor, "").
			RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	}
	for _, wrong := range []string{
		"role=root", "role=Admin", "role=", "email=", "email=kim%00", "role=user&role=user", "disabled=true", "ids=", "ids=me",
		"ids=" + two + ",", "ids=" + strings.ToUpper(two), "ids=" + strings.Repeat(ids[admin.Email]+",", 100) + ids[admin.Email],
	} {
		admin.Do(t, http.MethodGet, "/users?"+wrong, "").
			RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	}
}

// An agent's screens name customers and colleagues.
func TestAgentListsTheAccountsThatATicketNames(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.mustName(t, displayName)
	var named, staff []client.Account
	query := "ids=" + s.adaID.String() + "," + s.agent.ID.String() + "," + s.admin.ID.String()
	require.NoError(t, json.Unmarshal(s.agent.Do(t, http.MethodGet, "/users?"+query, "").Body, &named))
	require.Len(t, named, 3)
	for _, account := range named {
		require.Equal(t, account.ID == s.adaID, account.Customer != nil)
	}
	require.NoError(t, json.Unmarshal(s.agent.Do(t, http.MethodGet, "/users?role=staff", "").Body, &staff))
	require.True(t, slices.ContainsFunc(staff, func(a client.Account) bool { return a.ID == s.agent.ID }))
	require.False(t, slices.ContainsFunc(staff, func(a client.Account) bool { return a.Role == client.RoleUser }))
}

func TestDisabledAccountIsRefusedOnEveryReplicaWithinASecond(t *testing.T) {
	t.Parallel()
	here, there, clock := replicas(t)
	admin, user := here.Staff(t, sqlc.UserRoleAdmin), here.Customer(t)
	for _, s := range []*desk.Desk{here, there} {
		require.Equal(t, http.StatusOK, statusWith(t, s, user.Token))
	}
	require.True(t, mustChangeUser(t, admin, user.ID, `{"disabled":true}`).Disabled)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, here, user.Token))
	clock.Advance(time.Second)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, there, user.Token))
	requireNoRefresh(t, there, user.Refresh)

	right := map[string]string{"email": user.Email, "password": apitest.Password}
	wrong := map[string]string{"email": user.Email, "password": apitest.Password + "x"}
	requireSame(t, post(t, there, "/auth/login", wrong), post(t, there, "/auth/login", right), "a right password and a wrong one")

	require.False(t, mustChangeUser(t, admin, user.ID, `{"disabled":false}`).Disabled)
	clock.Advance(time.Second)
	require.Equal(t, http.StatusUnauthorized, statusWith(t, there, user.Token), "an ended session stays ended")
	requireNoRefresh(t, there, user.Refresh)
	there.LogIn(t, user.Email, apitest.Password)
}

func TestChangedRoleAppliesOnEveryReplicaWithinASecond(t *testing.T) {
	t.Parallel()
	here, there, clock := replicas(t)
	admin, agent := here.Staff(t, sqlc.UserRoleAdmin), here.Staff(t, sqlc.UserRoleAgent)
	path := "/tickets/" + here.Customer(t).NewTicket(t).ID.String()
	for _, s := range []*desk.Desk{here, there} {
		require.Equal(t, http.StatusOK, agent.With(t, s.Client, agent.Token).Do(t, http.MethodGet, path, "").Status)
	}
	mustChangeUser(t, admin, agent.ID, `{"role":"user"}`)
	clock.Advance(time.Second)
	for _, s := range []*desk.Desk{here, there} {
		require.Equal(t, http.StatusUnauthorized, statusWith(t, s, agent.Token), "the token has an old version")
	}
	next := mustRefresh(t, there, agent.Refresh)
	agent.With(t, there.Client, next.AccessToken).Do(t, http.MethodGet, path, "").
		RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)

	// A new token works immediately, even on a replica that still caches the session.
	require.Equal(t, http.StatusOK, statusWith(t, here, next.AccessToken))
	mustChangeUser(t, admin, agent.ID, `{"role":"agent"}`)
	next = mustRefresh(t, there, next.RefreshToken)
	require.Equal(t, http.StatusOK, agent.With(t, there.Client, next.AccessToken).Do(t, http.MethodGet, path, "").Status)
}

func TestStreamEndsWithTheRoleThatItNeeds(t *testing.T) {
	t.Parallel()
	clock := newMovingClock()
	now := func() time.Time {
		clock.Advance(time.Second)
		return clock.Now()
	}
	s := desk.New(t, desk.Options{Now: now, Recheck: 10 * time.Millisecond})
	require.NoError(t, s.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "never", After: 3}}}))
	admin, agent, customer := s.Staff(t, sqlc.UserRoleAdmin), s.Staff(t, sqlc.UserRoleAgent), s.Customer(t)
	stream := agent.Stream(t, customer.NewTicket(t).ID)
	_, more := stream.Next()
	require.True(t, more)
	mustChangeUser(t, admin, agent.ID, `{"role":"user"}`)
	for more {
		_, more = stream.Next()
	}
}

func TestUnchangedAccountKeepsItsSessions(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin, user := s.Staff(t, sqlc.UserRoleAdmin), s.Customer(t)
	mustChangeUser(t, admin, user.ID, `{"role":"user","disabled":false}`)
	require.Equal(t, http.StatusOK, statusWith(t, s, user.Token))
	require.Equal(t, http.StatusOK, statusWith(t, s, admin.Token))
	changeUser(t, admin, uuid.New(), `{"role":"user"}`).RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
	changeUser(t, admin, user.ID, `{}`).
		RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
}

func TestLastAdministratorCannotBeRemoved(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	admin, other := s.Staff(t, sqlc.UserRoleAdmin), s.Staff(t, sqlc.UserRoleAdmin)
	mustChangeUser(t, admin, other.ID, `{"disabled":true}`)
	for _, change := range []string{`{"role":"agent"}`, `{"role":"user"}`, `{"disabled":true}`, `{"role":"user","disabled":true}`} {
		changeUser(t, admin, admin.ID, change).RequireProblem(t, http.StatusConflict, client.ProblemCodeLastAdmin)
	}
	require.Equal(t, http.StatusOK, statusWith(t, s, admin.Token), "nothing has changed")
	mustChangeUser(t, admin, other.ID, `{"role":"user"}`)
	mustChangeUser(t, admin, other.ID, `{"role":"admin","disabled":false}`)
	mustChangeUser(t, admin, admin.ID, `{"role":"user"}`)
	require.Equal(t, 1, countRows(t, s, "users WHERE role = 'admin' AND disabled_at IS NULL"))
}

func TestParallelDemotionsKeepOneAdministrator(t *testing.T) {
	t.Parallel()
	const admins = 10
	first := desk.New(t, desk.Options{NoAI: true})
	servers := []*desk.Desk{first, desk.New(t, desk.Options{DatabaseURL: first.DatabaseURL, NoAI: true})}
	for _, change := range []string{`{"role":"user"}`, `{"disabled":true}`} {
		storetest.Exec(t, first.DatabaseURL, "UPDATE users SET role = 'user'")
		var demotions []func()
		results := make([]apitest.Response, admins)
		for i := range admins {
			admin := first.Staff(t, sqlc.UserRoleAdmin)
			demotions = append(demotions, func() {
				results[i] = changeUser(t, admin.With(t, servers[i%2].Client, admin.Token), admin.ID, change)
			})
		}
		race(demotions...)
		statuses := make(map[int]int)
		for _, r := range results {
			statuses[r.Status]++
			if r.Status == http.StatusConflict {
				r.RequireProblem(t, http.StatusConflict, client.ProblemCodeLastAdmin)
			}
		}
		require.Equal(t, map[int]int{http.StatusOK: admins - 1, http.StatusConflict: 1}, statuses)
		require.Equal(t, 1, countRows(t, first, "users WHERE role = 'admin' AND disabled_at IS NULL"))
	}
}

func TestChangesOfAccountsAreInTheLog(t *testing.T) {
	t.Parallel()
	var log logBuffer
	s := desk.New(t, desk.Options{Log: &log})
	admin, user := s.Staff(t, sqlc.UserRoleAdmin), s.Customer(t)
	mustChangeUser(t, admin, user.ID, `{"role":"agent","disabled":true}`)
	mustChangeUser(t, admin, user.ID, `{"disabled":false}`)
	mustChangeUser(t, admin, user.ID, `{"disabled":false}`)
	post(t, s, "/auth/login", map[string]string{"email": user.Email, "password": "wrong " + canary})
	post(t, s, "/auth/login", map[string]string{"email": canary + "@example.com", "password": apitest.Password})
	for event, want := range map[string]int{"role changed": 1, "user disabled": 1, "user enabled": 1, "login failed": 2} {
		require.Len(t, log.events(event), want, event)
	}
	require.Contains(t, log.events("role changed")[0], "user_id="+user.ID.String())
	require.Contains(t, log.events("role changed")[0], "by_user_id="+admin.ID.String())
	require.Contains(t, log.events("login failed")[0], "user_id="+user.ID.String())
	require.NotContains(t, log.events("login failed")[1], "user_id")
	for _, secret := range []string{canary, apitest.Password, user.Email, user.Token, user.Refresh} {
		require.NotContains(t, log.String(), secret)
	}
}
