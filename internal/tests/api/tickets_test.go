package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
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

var timestampPattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)

// requireMembers checks that a JSON object has exactly these members, and returns it.
func requireMembers(t *testing.T, object []byte, members ...string) map[string]any {
	t.Helper()
	var decoded map[string]any
	require.NoError(t, json.Unmarshal(object, &decoded), "%s", object)
	require.ElementsMatch(t, members, slices.Collect(maps.Keys(decoded)), "%s", object)
	for name, value := range decoded {
		switch {
		case strings.HasSuffix(name, "_at"):
			require.Regexp(t, timestampPattern, value, name)
		case name == "id" || strings.HasSuffix(name, "_id"):
			id, err := uuid.Parse(fmt.Sprint(value))
			require.NoError(t, err)
			require.Equal(t, uuid.Version(7), id.Version(), name)
			require.Equal(t, id.String(), value, "in the canonical form")
		}
	}
	return decoded
}

var (
	ticketMembers  = []string{"id", "title", "description", "status", "ai_mode", "user_id", "created_at", "updated_at", "last_message_at"}
	messageMembers = []string{"id", "ticket_id", "content", "is_ai", "author", "created_at"}
)

func TestAccountHasItsWireShape(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	body := `{"email":"Ada@Example.com","password":"correct horse battery","role":"user"}`
	created := s.Do(t, http.MethodPost, "/auth/signup", body, jsonType)
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	account := requireMembers(t, created.Body, "id", "email", "role")
	require.Equal(t, "ada@example.com", account["email"])
	require.Equal(t, "user", account["role"])

	token := s.Do(t, http.MethodPost, "/auth/login", strings.Replace(body, `,"role":"user"`, "", 1), jsonType)
	require.Equal(t, http.StatusOK, token.Status, "%s", token.Body)
	got := requireMembers(t, token.Body, "access_token", "token_type", "expires_in", "refresh_token")
	require.Equal(t, "bearer", got["token_type"])
	require.InDelta(t, 900, got["expires_in"], 0)

	me := s.LogIn(t, "ada@example.com", apitest.Password).Do(t, http.MethodGet, "/me", "")
	require.JSONEq(t, string(created.Body), string(me.Body))
}

func TestTicketHasItsWireShape(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	body := `{"title":"A title","description":"A description"}`
	created := d.owner.Do(t, http.MethodPost, "/tickets", body, jsonType)
	require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
	ticket := requireMembers(t, created.Body, ticketMembers...)
	require.Equal(t, "A title", ticket["title"])
	require.Equal(t, "A description", ticket["description"])
	require.Equal(t, "open", ticket["status"])
	require.Equal(t, d.owner.ID.String(), ticket["user_id"])
	require.Equal(t, ticket["created_at"], ticket["updated_at"])
	location := fmt.Sprintf("/tickets/%s", ticket["id"])
	require.Equal(t, location, created.Header.Get("Location"))

	got := d.owner.Do(t, http.MethodGet, location, "")
	require.Equal(t, http.StatusOK, got.Status)
	whole := requireMembers(t, got.Body, append(ticketMembers, "messages")...)
	require.Empty(t, whole["messages"])
	require.NotNil(t, whole["messages"], "no messages are an empty array, not null")
	delete(whole, "messages")
	require.Equal(t, ticket, whole)

	updated := d.owner.Do(t, http.MethodPatch, location, `{"status":"pending"}`, jsonType)
	require.Equal(t, http.StatusOK, updated.Status)
	changed := requireMembers(t, updated.Body, ticketMembers...)
	require.Equal(t, "pending", changed["status"])
	require.Equal(t, ticket["created_at"], changed["created_at"])
	require.Greater(t, changed["updated_at"], ticket["updated_at"])
}

func TestListOfNoTicketsIsAnEmptyArray(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	r := s.Customer(t).Do(t, http.MethodGet, "/tickets", "")
	require.Equal(t, http.StatusOK, r.Status)
	require.JSONEq(t, "[]", string(r.Body))
	require.Empty(t, r.Header.Values("Link"))
}

var linkPattern = regexp.MustCompile(`^<(/[^>]+)>; rel="next"$`)

// pages follows the Link headers from a path to the end of the list. page gets each page's body.
func pages(t *testing.T, user *apitest.User, path string, page func(body []byte)) {
	t.Helper()
	for path != "" {
		r := user.Do(t, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
		page(r.Body)
		path = ""
		if link := r.Header.Get("Link"); link != "" {
			match := linkPattern.FindStringSubmatch(link)
			require.NotNil(t, match, link)
			path = match[1]
		}
	}
}

// insertTickets inserts tickets, four at a time with the same time, and returns their ids, oldest first.
func insertTickets(t *testing.T, databaseURL string, user uuid.UUID, n int) []uuid.UUID {
	t.Helper()
	ids := make([]uuid.UUID, n)
	texts := make([]string, n)
	for i := range n {
		ids[i] = uuid.Must(uuid.NewV7())
		texts[i] = ids[i].String()
	}
	storetest.Exec(t, databaseURL, `INSERT INTO tickets (id, user_id, title, description, created_at)
		SELECT id::uuid, $2, 'Ticket ' || i, 'x', now() + (i - 1) / 4 * interval '1 microsecond'
		FROM unnest($1::text[]) WITH ORDINALITY AS list (id, i)`, texts, user)
	return ids
}

func TestTicketsArePagedNewestFirst(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, other := s.Customer(t), s.Customer(t)
	want := insertTickets(t, s.DatabaseURL, customer.ID, 120)
	slices.Reverse(want)
	others := insertTickets(t, s.DatabaseURL, other.ID, 3)

	list := func(user *apitest.User, path string) (ids []uuid.UUID, sizes []int) {
		pages(t, user, path, func(body []byte) {
			var page []client.Ticket
			require.NoError(t, json.Unmarshal(body, &page))
			sizes = append(sizes, len(page))
			for _, ticket := range page {
				ids = append(ids, ticket.ID)
			}
		})
		return ids, sizes
	}
	for path, wantSizes := range map[string][]int{
		"/tickets": {50, 50, 20}, "/tickets?limit=50": {50, 50, 20}, "/tickets?limit=60": {60, 60},
		"/tickets?limit=119": {119, 1}, "/tickets?limit=120": {120}, "/tickets?limit=200": {120},
	} {
		ids, sizes := list(customer, path)
		require.Equal(t, want, ids, path)
		require.Equal(t, wantSizes, sizes, path)
	}
	all, _ := list(s.Staff(t, sqlc.UserRoleAgent), "/tickets?limit=7")
	require.ElementsMatch(t, slices.Concat(want, others), all)
	ids, _ := list(other, "/tickets?limit=2")
	slices.Reverse(others)
	require.Equal(t, others, ids)
}

func TestNewTicketsDoNotDisturbPages(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer := s.Customer(t)
	want := insertTickets(t, s.DatabaseURL, customer.ID, 12)
	slices.Reverse(want)
	var got []uuid.UUID
	pages(t, customer, "/tickets?limit=5", func(body []byte) {
		var page []client.Ticket
		require.NoError(t, json.Unmarshal(body, &page))
		for _, ticket := range page {
			got = append(got, ticket.ID)
		}
		customer.NewTicket(t)
	})
	require.Equal(t, want, got)
}

func TestCursorOfAnotherListOrAccountIsRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	other, agent := d.Customer(t), d.Staff(t, sqlc.UserRoleAgent)
	for range 3 {
		d.owner.NewTicket(t)
		other.NewTicket(t)
		d.owner.Say(t, d.ticket.ID, "A message")
	}
	first := d.owner.Do(t, http.MethodGet, "/tickets?limit=1", "")
	match := regexp.MustCompile(`cursor=([A-Za-z0-9_-]+)`).FindStringSubmatch(first.Header.Get("Link"))
	require.NotNil(t, match)
	cursor := match[1]
	second := d.owner.Do(t, http.MethodGet, "/tickets?cursor="+cursor, "")
	require.Equal(t, http.StatusOK, second.Status)

	refuse := func(user *apitest.User, path string) {
		r := user.Do(t, http.MethodGet, path, "")
		problem := r.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
		require.Len(t, problem.Errors, 1)
		require.Equal(t, "/cursor", problem.Errors[0].Pointer)
		require.NotContains(t, string(r.Body), cursor)
	}
	refuse(other, "/tickets?cursor="+cursor)
	refuse(agent, "/tickets?cursor="+cursor)
	refuse(d.owner, "/tickets/"+d.ticket.ID.String()+"/messages?cursor="+cursor)
	for _, wrong := range []string{
		"", "a", cursor[1:], cursor[:len(cursor)-1], cursor + "A", cursor + "=", strings.ToUpper(cursor), "%00" + cursor,
		cursor + "%0A", strings.Repeat("A", len(cursor)), strings.Repeat("A", 5000), "../../etc", "' OR 1=1--",
	} {
		refuse(d.owner, "/tickets?cursor="+strings.ReplaceAll(wrong, " ", "+"))
	}
	refuse(d.owner, "/tickets?cursor="+cursor+"&cursor="+cursor)
}

func TestCustomerSeesOwnTicketsAndStaffSeeAll(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	other := d.Customer(t)
	second, theirs := d.owner.NewTicket(t), other.NewTicket(t)
	list := func(user *apitest.User) (ids []uuid.UUID) {
		listed, err := user.ListTicketsWithResponse(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, listed.StatusCode(), "%s", listed.Body)
		for _, ticket := range *listed.JSON200 {
			ids = append(ids, ticket.ID)
		}
		return ids
	}
	require.Equal(t, []uuid.UUID{second.ID, d.ticket.ID}, list(d.owner))
	require.Equal(t, []uuid.UUID{theirs.ID}, list(other))
	for _, role := range []sqlc.UserRole{sqlc.UserRoleAgent, sqlc.UserRoleAdmin} {
		staff := d.Staff(t, role)
		require.Equal(t, []uuid.UUID{theirs.ID, second.ID, d.ticket.ID}, list(staff), "newest first")
		require.Empty(t, staff.Messages(t, theirs.ID))
	}
	got, err := other.GetTicketWithResponse(t.Context(), d.ticket.ID, nil)
	require.NoError(t, err)
	apitest.RequireProblem(t, got.StatusCode(), got.Body, http.StatusNotFound, client.ProblemCodeNotFound)
}
