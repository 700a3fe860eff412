package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

// ticketTag reads a ticket and returns its ETag.
func ticketTag(t *testing.T, user *apitest.User, id uuid.UUID) string {
	t.Helper()
	got, err := user.GetTicketWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	tag := got.HTTPResponse.Header.Get("ETag")
	require.Regexp(t, `^"[^"]+"$`, tag, "a strong one")
	return tag
}

func TestIfMatchLetsOneOfManyChangesWin(t *testing.T) {
	t.Parallel()
	const many = 50
	d := newCast(t)
	// To open and back, so that a lost update would also be an allowed change.
	for round, to := range []client.TicketStatus{"pending", "open", "pending", "resolved", "closed"} {
		tag := ticketTag(t, d.owner, d.ticket.ID)
		statuses := make([]int, many)
		faults := make([]error, many)
		var changes []func()
		for i := range many {
			changes = append(changes, func() {
				// The server may be too busy for so many requests: retry.
				for faults[i] == nil && (statuses[i] == 0 || statuses[i] == http.StatusServiceUnavailable) {
					r, err := d.owner.UpdateTicketWithResponse(t.Context(), d.ticket.ID,
						&plain.UpdateTicketParams{IfMatch: &tag}, client.UpdateTicketRequest{Status: to})
					if faults[i] = err; err == nil {
						statuses[i] = r.StatusCode()
					}
				}
			})
		}
		race(changes...)
		counts := map[int]int{}
		for i, status := range statuses {
			require.NoError(t, faults[i])
			counts[status]++
		}
		require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusPreconditionFailed: many - 1}, counts, "to %s", to)
		require.Equal(t, round+1, countChanges(t, d.Desk, d.ticket), "the history holds what was accepted")
	}
}

// Each client reads, decides, and writes. Without If-Match, changes would be lost.
func TestIfMatchPreventsLostUpdates(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 5
	d := newCast(t)
	next := map[client.TicketStatus]client.TicketStatus{"open": "pending", "pending": "open"}
	var changes []func()
	faults := make(chan string, writers*each)
	for range writers {
		changes = append(changes, func() {
			for done := 0; done < each; {
				got, err := d.owner.GetTicketWithResponse(t.Context(), d.ticket.ID, nil)
				if err != nil || got.JSON200 == nil {
					faults <- fmt.Sprint("no ticket: ", err)
					return
				}
				tag := got.HTTPResponse.Header.Get("ETag")
				r, err := d.owner.UpdateTicketWithResponse(t.Context(), d.ticket.ID,
					&plain.UpdateTicketParams{IfMatch: &tag}, client.UpdateTicketRequest{Status: next[got.JSON200.Status]})
				switch {
				case err != nil:
					faults <- err.Error()
					return
				case r.StatusCode() == http.StatusOK:
					done++
				case r.StatusCode() != http.StatusPreconditionFailed && r.StatusCode() != http.StatusServiceUnavailable:
					// The version that the client read allows the change.
					faults <- string(r.Body)
					return
				}
			}
		})
	}
	race(changes...)
	require.Empty(t, faults)
	require.Equal(t, writers*each, countChanges(t, d.Desk, d.ticket))
}

// compressed returns the tag that Apache makes for a compressed response.
func compressed(tag, coding string) string {
	return strings.TrimSuffix(tag, `"`) + "-" + coding + `"`
}

// A form that an agent saves without a change must not keep a colleague from saving theirs.
func TestTicketThatHasTheValuesKeepsItsVersion(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	path := "/tickets/" + d.ticket.ID.String()
	form := `{"status":"resolved","priority":"high","ai_mode":"draft","assignee_id":"` + agent.ID.String() + `","team_id":null,"tags":["a","b"],
		"custom_fields":{"order":"4711","gone":null},"external_id":"x-1","snoozed_until":null}`
	saved := agent.Do(t, http.MethodPatch, path, form, jsonType)
	require.Equal(t, http.StatusOK, saved.Status, "%s", saved.Body)
	entries := countRows(t, d.Desk, "journal_outbox")
	again := agent.Do(t, http.MethodPatch, path, strings.Replace(form, `"status":"resolved",`, "", 1), jsonType, "If-Match: "+saved.Header.Get("ETag"))
	require.Equal(t, http.StatusOK, again.Status, "%s", again.Body)
	require.JSONEq(t, string(saved.Body), string(again.Body))
	require.Equal(t, saved.Header.Get("ETag"), again.Header.Get("ETag"))
	require.Equal(t, entries, countRows(t, d.Desk, "journal_outbox"))
	for _, change := range []string{
		`"priority":"low"`, `"ai_mode":"off"`, `"assignee_id":null`, `"tags":["b","a"]`, `"custom_fields":{"order":4711}`, `"external_id":null`, `"status":"closed"`,
	} {
		before := ticketTag(t, agent, d.ticket.ID)
		changed := agent.Do(t, http.MethodPatch, path, "{"+change+"}", jsonType)
		require.Equal(t, http.StatusOK, changed.Status, "%s", changed.Body)
		require.NotEqual(t, before, ticketTag(t, agent, d.ticket.ID), change)
		require.Greater(t, countRows(t, d.Desk, "journal_outbox"), entries, change)
		entries = countRows(t, d.Desk, "journal_outbox")
	}
}

func TestIfMatchComparesVersions(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	stale := ticketTag(t, d.owner, d.ticket.ID)
	d.owner.Say(t, d.ticket.ID, "It has changed.")
	tag := ticketTag(t, d.owner, d.ticket.ID)
	path := "/tickets/" + d.ticket.ID.String()
	change := func(to string, header ...string) apitest.Response {
		return d.owner.Do(t, http.MethodPatch, path, `{"status":"`+to+`"}`, append(header, jsonType)...)
	}
	for name, list := range map[string]string{
		"stale": stale, "unknown": `"x"`, "empty": `""`, "stale and weak": "W/" + stale, "stale and gzipped": compressed(stale, "gzip"),
		"another ending": compressed(tag, "x"), "an ending twice": compressed(compressed(tag, "gzip"), "br"),
		"with a zero": `"0` + strings.Trim(tag, `"`) + `"`, "many": stale + `, "x","y"`, "with a comma": `"` + strings.Trim(tag, `"`) + `,"`,
	} {
		r := change("pending", "If-Match: "+list)
		r.RequireProblem(t, http.StatusPreconditionFailed, client.ProblemCodePreconditionFailed)
		r = change("closed", "If-Match: "+list)
		r.RequireProblem(t, http.StatusPreconditionFailed, client.ProblemCodePreconditionFailed)
		require.Zero(t, countChanges(t, d.Desk, d.ticket), name)
	}
	for name, list := range map[string]string{
		"nothing": "", "bare": strings.Trim(tag, `"`), "open": `"1`, "small w": "w/" + tag, "any of many": `*, "1"`,
		"any twice": "**", "space in it": `"1 2"`, "no comma": `"1" "2"`, "quote in it": `"1\"2"`, "NUL": `"a` + "\u0080" + `"`,
		"too long": `"` + strings.Repeat("1", 2048) + `"`,
	} {
		r := change("pending", "If-Match: "+list)
		problem := r.RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
		require.Len(t, problem.Errors, 1, name)
		require.Equal(t, "/If-Match", problem.Errors[0].Pointer, name)
	}
	change("closed", "If-Match: "+tag).RequireProblem(t, http.StatusConflict, client.ProblemCodeInvalidTransition)
	stranger := d.Customer(t)
	for _, list := range []string{"*", tag, `"x"`} {
		stranger.Do(t, http.MethodPatch, path, `{"status":"pending"}`, jsonType, "If-Match: "+list).
			RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
	}
	to := []string{"pending", "open"}
	for i, header := range [][]string{
		{"If-Match: W/%s"},
		{"If-Match: W/\"1\", W/%s"},
		{"If-Match: %gzip"},
		{"If-Match: %br"},
		{"If-Match: W/%gzip"},
		{"If-Match: *"},
		{"If-Match: %s"},
		{"If-Match: \"x\",%s"},
		{"If-Match: , W/\"x\" ,%s,,"},
		{"If-Match: \"x\"", "If-Match: %s"},
		{},
	} {
		for j, line := range header {
			header[j] = strings.NewReplacer("%s", tag, "%gzip", compressed(tag, "gzip"), "%br", compressed(tag, "br")).Replace(line)
		}
		r := change(to[i%2], header...)
		require.Equal(t, http.StatusOK, r.Status, "%v: %s", header, r.Body)
		require.NotEqual(t, tag, r.Header.Get("ETag"))
		tag = r.Header.Get("ETag")
		require.Equal(t, tag, ticketTag(t, d.owner, d.ticket.ID), "the created ticket has this ETag")
	}
}

func TestTicketVersionCoversEverythingThatItShows(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	agent := d.Staff(t, sqlc.UserRoleAgent)
	created := d.owner.Do(t, http.MethodPost, "/tickets", ticketBody, jsonType)
	id := uuid.MustParse(strings.TrimPrefix(created.Header.Get("Location"), "/tickets/"))
	seen := map[string]bool{created.Header.Get("ETag"): true}
	require.True(t, seen[ticketTag(t, d.owner, id)])
	for name, change := range map[string]func(){
		"a customer's message": func() { d.owner.Say(t, id, "Hello.") },
		"staff's message":      func() { agent.Say(t, id, "Hello.") },
		"the AI's message": func() {
			d.owner.Say(t, id, "Hello?")
			seen[ticketTag(t, d.owner, id)] = true
			require.NotNil(t, d.owner.Stream(t, id).ReadAll().Done)
		},
		"its status": func() { d.owner.SetStatus(t, id, "pending"); d.owner.SetStatus(t, id, "open") },
	} {
		change()
		tag := ticketTag(t, d.owner, id)
		require.False(t, seen[tag], "%s is not in the version", name)
		seen[tag] = true
		require.Equal(t, tag, ticketTag(t, agent, id))
		require.Equal(t, tag, ticketTag(t, d.owner, id), "reading changes nothing")
	}
}

// An ETag belongs to exactly one body, even while others write.
func TestOneETagIsOneBody(t *testing.T) {
	t.Parallel()
	const writers, each = 4, 20
	d := newCast(t)
	wait := writeMessages(t, d.owner, d.ticket.ID, writers, each)
	var mu sync.Mutex
	bodies := map[string]string{}
	faults := make(chan string, 1000)
	read := func() (messages int) {
		got, err := d.owner.GetTicketWithResponse(t.Context(), d.ticket.ID, nil)
		if err != nil || got.JSON200 == nil {
			faults <- fmt.Sprint(err)
			return writers * each
		}
		mu.Lock()
		defer mu.Unlock()
		tag := got.HTTPResponse.Header.Get("ETag")
		if before, known := bodies[tag]; known && before != string(got.Body) {
			faults <- tag
			return writers * each
		}
		bodies[tag] = string(got.Body)
		return len(got.JSON200.Messages)
	}
	var readers []func()
	for range 4 {
		readers = append(readers, func() {
			for seen := 0; seen < writers*each; {
				seen = read()
			}
		})
	}
	race(readers...)
	require.NoError(t, wait())
	require.Empty(t, faults, "one version, two bodies")
	require.Greater(t, len(bodies), 1)
}

func TestIfNoneMatchOmitsTheBody(t *testing.T) {
	t.Parallel()
	d := desk.New(t, desk.Options{})
	versioned := 0
	for _, o := range specOperations(t) {
		if o.Responses.Value("304") == nil {
			continue
		}
		versioned++
		t.Run(o.OperationID, func(t *testing.T) {
			c := castOf(t, d)
			ids := o.ownedIDs(t, c)
			get := func(method string, header ...string) apitest.Response {
				o := o
				o.method = method
				return o.call(t, c, ids, append(header, c.admin.Bearer())...)
			}
			first := get(http.MethodGet)
			require.Equal(t, http.StatusOK, first.Status)
			tag := first.Header.Get("ETag")
			require.Regexp(t, `^"[^"]+"$`, tag)
			requireSame(t, first, get(http.MethodGet), "the same thing has the same tag")
			require.Equal(t, tag, get(http.MethodHead).Header.Get("ETag"))
			for _, list := range []string{tag, "W/" + tag, compressed(tag, "gzip"), "*", `"x", ` + tag, `"x","y",W/` + tag + " ,"} {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					r := get(method, "If-None-Match: "+list)
					require.Equal(t, http.StatusNotModified, r.Status, list)
					require.Empty(t, r.Body)
					require.Empty(t, r.Header.Values("Content-Type"))
					require.Equal(t, tag, r.Header.Get("ETag"))
					require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
				}
			}
			for _, list := range []string{`"x"`, `W/"x"`, `""`, `"` + tag[2:]} {
				requireSame(t, first, get(http.MethodGet, "If-None-Match: "+list), list)
			}
			for _, list := range []string{"", strings.Trim(tag, `"`), `"x`, "* *"} {
				get(http.MethodGet, "If-None-Match: "+list).
					RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
			}
			// Strangers learn nothing from a tag.
			if len(o.pathParameters) > 0 {
				status, code := http.StatusNotFound, client.ProblemCodeNotFound
				if !may(c.other, o) {
					status, code = http.StatusForbidden, client.ProblemCodeForbidden
				}
				o.call(t, c, ids, "If-None-Match: "+tag, c.other.Bearer()).RequireProblem(t, status, code)
			}
			o.call(t, c, ids, "If-None-Match: "+tag).
				RequireProblem(t, http.StatusUnauthorized, client.ProblemCodeUnauthenticated)
		})
	}
	require.GreaterOrEqual(t, versioned, 4)
}

// A page that becomes full has the same items and a link to the next page.
func TestPageVersionIncludesTheLinkToTheNextPage(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	path := "/tickets/" + d.ticket.ID.String() + "/messages?limit=2"
	d.owner.Say(t, d.ticket.ID, "one")
	d.owner.Say(t, d.ticket.ID, "two")
	full := d.owner.Do(t, http.MethodGet, path, "")
	require.Empty(t, full.Header.Values("Link"))
	d.owner.Say(t, d.ticket.ID, "three")
	linked := d.owner.Do(t, http.MethodGet, path, "", "If-None-Match: "+full.Header.Get("ETag"))
	require.Equal(t, http.StatusOK, linked.Status)
	require.Equal(t, full.Body, linked.Body)
	require.NotEmpty(t, linked.Header.Get("Link"))
}
