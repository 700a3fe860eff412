package api_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/apitest"
)

// publicOperations need no token. Before you add one, consider what strangers can do with it.
var publicOperations = []string{"getLiveness", "getReadiness", "logIn", "refreshSession", "signUp"}

func TestPublicOperationsAreTheKnownOnes(t *testing.T) {
	t.Parallel()
	var public []string
	for _, o := range specOperations(t) {
		if o.role == "" {
			require.Empty(t, *o.Security, "%s: a public operation needs security: []", o.OperationID)
			public = append(public, o.OperationID)
		}
	}
	require.Equal(t, publicOperations, public)
}

func TestUnknownPathsAreNotFound(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	id := ownedTicket(t, c)
	before := c.snapshot(t)
	for _, path := range []string{
		"//", "/docsX", "/docs/", "/docs/assets", "/docs/assets/", "/docs/../tickets", "/openapi", "/openapi.json/",
		"//tickets", "/tickets/", "/tickets//", "///tickets", "/./tickets", "/TICKETS", "/Tickets", "/tickets ", "/ticket",
		"/%74ickets", "/ticket%73", "/%2Ftickets", "/tickets%2F" + id, "/tickets%2f" + id, "/tickets%00", "/tickets%0A",
		"/tickets;jsessionid=1", "/tickets.json", "/tickets*", "/*", "/tickets/../me", "/tickets/..", "/tickets/.",
		"/tickets/../tickets/" + id, "/tickets/%2e%2e/me", "/livez/../tickets", "/livez/", "/me/", "/ME", "/Me", "/me/..",
		"/tickets/" + id + "/", "/tickets/" + id + "//messages", "/tickets/" + id + "/MESSAGES", "/Tickets/" + id,
		"/tickets/" + id + "/messages/", "/tickets/" + id + "/messages/" + id, "/tickets//messages",
		"/tickets/" + id + "/ai-response/", "/v1/tickets", "/api/tickets", "/users/", "/accounts", "/admin", "/debug/pprof/", "/metrics",
		"/.env", "/.git/config", "/auth", "/auth/", "/auth/login/", "/problems/", "/problems/nothing", "/problems/not_found/", "/problems/NOT_FOUND", "/auth/token", "/favicon.ico",
	} {
		path = strings.ReplaceAll(path, " ", "%20")
		for _, header := range [][]string{nil, {c.owner.Bearer()}, {c.admin.Bearer()}} {
			got := c.Do(t, http.MethodGet, path, "", header...)
			require.Contains(t, []int{http.StatusNotFound, http.StatusUnauthorized}, got.Status, path)
			if header != nil {
				require.Equal(t, http.StatusNotFound, got.Status, path)
			}
			require.Equal(t, "application/problem+json", got.Header.Get("Content-Type"), path)
			for _, secret := range []string{"Secret", id, c.owner.Email} {
				require.NotContains(t, string(got.Body), secret, path)
			}
		}
	}
	require.Equal(t, before, c.snapshot(t))
}

// nextCursor returns the cursor of the second page.
func nextCursor(t *testing.T, c *cast, m *apitest.User, list string) string {
	t.Helper()
	got := c.Do(t, http.MethodGet, list+"?limit=1", "", m.Bearer())
	require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
	link := regexp.MustCompile(`^<(/[^?]*)\?cursor=([A-Za-z0-9_-]+)&limit=1>; rel="next"$`).
		FindStringSubmatch(got.Header.Get("Link"))
	require.Len(t, link, 3, "%v", got.Header)
	require.Equal(t, list, link[1])
	return link[2]
}

func requireNoCursor(t *testing.T, c *cast, m *apitest.User, list, cursor, name string) {
	t.Helper()
	got := c.Do(t, http.MethodGet, list+"?limit=1&cursor="+cursor, "", m.Bearer())
	problem := got.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	require.Len(t, problem.Errors, 1, name)
	require.Equal(t, "/cursor", problem.Errors[0].Pointer, name)
}

func TestCursorBelongsToItsAccountAndItsList(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	first, second := ownedTicket(t, c), ownedTicket(t, c)
	for _, id := range []string{first, second} {
		got := c.Do(t, http.MethodPost, "/tickets/"+id+"/messages", `{"content":"More."}`,
			"Content-Type: application/json", c.owner.Bearer())
		require.Equal(t, http.StatusCreated, got.Status)
	}
	tickets := nextCursor(t, c, c.owner, "/tickets")
	messages := nextCursor(t, c, c.owner, "/tickets/"+first+"/messages")
	staffs := nextCursor(t, c, c.agent, "/tickets")

	got := c.Do(t, http.MethodGet, "/tickets?limit=1&cursor="+tickets, "", c.owner.Bearer())
	require.Equal(t, http.StatusOK, got.Status, "the owner's own cursor works: %s", got.Body)
	got = c.Do(t, http.MethodGet, "/tickets?limit=200&cursor="+tickets, "", c.owner.Bearer())
	require.Equal(t, http.StatusOK, got.Status, "the cursor works with another limit: %s", got.Body)

	requireNoCursor(t, c, c.other, "/tickets", tickets, "another customer's")
	requireNoCursor(t, c, c.agent, "/tickets", tickets, "a customer's, by staff")
	requireNoCursor(t, c, c.other, "/tickets", staffs, "staff's, by a customer")
	requireNoCursor(t, c, c.admin, "/tickets", staffs, "another one's of the staff")
	requireNoCursor(t, c, c.owner, "/tickets", messages, "of the list of messages")
	requireNoCursor(t, c, c.owner, "/tickets/"+first+"/messages", tickets, "of the list of tickets")
	requireNoCursor(t, c, c.owner, "/tickets/"+second+"/messages", messages, "of another ticket's messages")
	requireNoCursor(t, c, c.admin, "/tickets/"+first+"/messages", messages, "of the same messages, by staff")
}

func TestForgedCursorsAreRefused(t *testing.T) {
	t.Parallel()
	c := newCast(t)
	ownedTicket(t, c)
	ownedTicket(t, c)
	cursor := nextCursor(t, c, c.owner, "/tickets")
	for i := range cursor {
		replacement := "A"
		if cursor[i] == 'A' {
			replacement = "B"
		}
		requireNoCursor(t, c, c.owner, "/tickets", cursor[:i]+replacement+cursor[i+1:], "changed")
	}
	for length := range len(cursor) {
		requireNoCursor(t, c, c.owner, "/tickets", cursor[:length], "cut")
	}
	for name, forged := range map[string]string{
		"longer":             cursor + "A",
		"padded":             cursor + "%3D",
		"twice":              cursor + cursor,
		"space before":       "%20" + cursor,
		"line break":         cursor + "%0A",
		"line break in it":   cursor[:8] + "%0A" + cursor[8:],
		"NUL":                cursor + "%00",
		"plain base64":       cursor[:len(cursor)-2] + "%2B%2F",
		"a UUID":             uuid.NewString(),
		"a number":           "1",
		"a time":             time.Now().UTC().Format("20060102T150405"),
		"SQL":                "'%20OR%201%3D1%20--",
		"zeros":              strings.Repeat("A", len(cursor)),
		"over its longest":   strings.Repeat("A", 129),
		"no UTF-8":           "%FF%FE",
		"the halves swapped": cursor[len(cursor)/2:] + cursor[:len(cursor)/2],
		"in lower case":      strings.ToLower(cursor) + "a",
	} {
		requireNoCursor(t, c, c.owner, "/tickets", forged, name)
	}
	got := c.Do(t, http.MethodGet, "/tickets?cursor="+cursor+"&cursor="+cursor, "", c.owner.Bearer())
	got.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
}
