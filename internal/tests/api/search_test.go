package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/search"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// searched returns the results of a search after all texts are indexed.
func searched(t *testing.T, u *apitest.User, s *desk.Desk, q string) []client.SearchResult {
	t.Helper()
	require.NoError(t, s.Search.Index(t.Context()))
	got := u.Do(t, http.MethodGet, "/search?"+url.Values{"q": {q}}.Encode(), "")
	require.Equal(t, http.StatusOK, got.Status, "%q: %s", q, got.Body)
	var results []client.SearchResult
	require.NoError(t, json.Unmarshal(got.Body, &results))
	return results
}

// marked returns the text of segments, with matches in brackets.
func marked(segments []client.TextSegment) string {
	var text strings.Builder
	for _, s := range segments {
		if s.Match {
			s.Text = "[" + s.Text + "]"
		}
		text.WriteString(s.Text)
	}
	return text.String()
}

// open opens a ticket.
func open(t *testing.T, u *apitest.User, title, description string) uuid.UUID {
	t.Helper()
	created, err := u.CreateTicketWithResponse(t.Context(), nil, client.CreateTicketRequest{Title: title, Description: description})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, created.StatusCode(), "%s", created.Body)
	return created.JSON201.ID
}

func TestSearchFindsTicketsAndMessagesByTheirWords(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	ada, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	mentions := open(t, ada, "A refund, please", "The <b>invoice</b> was wrong & I paid it twice.")
	titled := open(t, ada, "Invoice 4711", "I was charged twice for October.")
	said := agent.Say(t, mentions, "Your invoices were corrected.\nThe second charge is gone.")

	results := searched(t, ada, s, "invoices")
	require.Len(t, results, 3)
	require.Equal(t, titled, results[0].TicketID, "a match in the title ranks first")
	require.Equal(t, "[Invoice] 4711", marked(results[0].Title))
	require.Equal(t, "I was charged twice for October.", marked(results[0].Snippet))
	for _, r := range results[1:] {
		require.Equal(t, mentions, r.TicketID)
		require.Equal(t, "A refund, please", marked(r.Title))
		require.Equal(t, ada.ID, r.UserID)
		if r.Kind == client.SearchResultKindMessage {
			require.Equal(t, &said.ID, r.MessageID)
			require.Equal(t, said.CreatedAt, r.CreatedAt)
			require.Equal(t, "Your [invoices] were corrected.\nThe second charge is gone.", marked(r.Snippet))
		} else {
			require.Nil(t, r.MessageID)
			require.Equal(t, "The <b>[invoice]</b> was wrong & I paid it twice.", marked(r.Snippet))
		}
	}
	for q, want := range map[string]int{
		"INVOICE": 3, "invoice charge": 2, `"second charge"`: 1, `"charge second"`: 0, `"invoice 4711"`: 1, "invoice -charge": 1,
		"corrected or October": 2, "4711": 1, "invoice nothing": 0,
		// A query without a required word finds nothing.
		"the": 0, "-nothing": 0, "nothing or -invoice": 0, "&|!<->:*()": 0, `"`: 0, "<b>": 0,
		// Special characters do not affect the words between them.
		`'); DROP TABLE tickets; -- invoice`: 0, `invoice:*|`: 3, `"invoice`: 3, "!invoice": 3,
	} {
		require.Len(t, searched(t, ada, s, q), want, q)
		require.Len(t, searched(t, agent, s, q), want, "for staff: %s", q)
	}
}

func TestSearchRefusesInvalidQueries(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	ada := s.Customer(t)
	for _, query := range []string{
		"", "q=", "q=" + strings.Repeat("%27", 201), "q=" + strings.Repeat("x", 10_000), "q=a%00b", "q=a%0Ab", "q=%FF",
		"q=a&q=b", "q=a&limit=51", "q=a&limit=0", "q=a&cursor=made-up", "q=a&sort=x",
	} {
		ada.Do(t, http.MethodGet, "/search?"+query, "").
			RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
	}
	for _, q := range []string{
		strings.Repeat(`"`, 200), strings.Repeat("(", 200), strings.Repeat("a ", 100), strings.Repeat("-a ", 66), strings.Repeat("a or ", 40),
		strings.Repeat(`"a b" `, 33), strings.Repeat("a-", 100), strings.Repeat("/a", 100), strings.Repeat("\u00e9", 200), "\U0001F44B",
	} {
		require.Empty(t, searched(t, ada, s, q), "%q", q)
	}
}

func TestCustomersSearchTheirOwnTicketsOnly(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	other := shop.Customer(t)
	secret := open(t, other, "A secret zebra", "Nobody else knows the zebra.")
	own := open(t, shop.ada, "My giraffe", "It ate a zebra.")
	require.Len(t, searched(t, shop.agent, shop.Desk, "zebra"), 2)
	require.Len(t, searched(t, shop.self, shop.Desk, "zebra"), 2, "a service with the role agent is staff")
	for name, caller := range map[string]*apitest.User{"the customer": shop.ada, "another customer": other} {
		results := searched(t, caller, shop.Desk, "zebra")
		require.Len(t, results, 1, name)
		require.Equal(t, map[string]uuid.UUID{"the customer": own, "another customer": secret}[name], results[0].TicketID)
	}
	require.Empty(t, searched(t, shop.rival, shop.Desk, "zebra"))
	key := shop.admin.NewAPIKey(t, client.CreateAPIKeyRequest{Role: client.RoleAgent, Scopes: client.Scopes{client.ScopeAI}})
	shop.Service(t, key.Key, "").Do(t, http.MethodGet, "/search?q=zebra", "").
		RequireProblem(t, http.StatusForbidden, client.ProblemCodeForbidden)
}

// A note never matches for the ticket's customer, and nothing reveals that it exists.
func TestCustomersDoNotFindNotes(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	ada, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := open(t, ada, "A question", "About giraffes.")
	nothing := ada.Do(t, http.MethodGet, "/search?q=zebra&limit=1", "", fixedRequestID)
	addNote(t, agent, ticket, "The customer likes zebras.")
	addNote(t, agent, ticket, "And giraffes.")
	results := searched(t, agent, s, "zebra")
	require.Len(t, results, 1)
	require.Equal(t, client.SearchResultKindNote, results[0].Kind)
	require.Len(t, searched(t, agent, s, "giraffe"), 2)
	require.Len(t, searched(t, ada, s, "giraffe"), 1)
	got := ada.Do(t, http.MethodGet, "/search?q=zebra&limit=1", "", fixedRequestID)
	requireSame(t, nothing, got, "with a note that matches and without")
	require.Empty(t, got.Header.Get("Link"))
}

func TestSearchFollowsChangesOfATicket(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	ada, lin, agent := s.Customer(t), s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket, target := open(t, ada, "A question", "About giraffes."), open(t, lin, "Another", "About zebras.")
	message := ada.Say(t, ticket, "The giraffe is ill.")
	require.Len(t, searched(t, ada, s, "giraffe"), 2)

	// Immediately, before the index is updated, nobody finds a removed word, and nobody who may no longer see a text
	// finds it.
	storetest.Exec(t, s.DatabaseURL, "UPDATE messages SET content = 'Redacted.' WHERE id = $1", message.ID)
	got := agent.Do(t, http.MethodGet, "/search?q=ill", "")
	require.JSONEq(t, "[]", string(got.Body))
	require.Len(t, searched(t, agent, s, "redacted"), 1)

	storetest.Exec(t, s.DatabaseURL, "UPDATE messages SET ticket_id = $2 WHERE id = $1", message.ID, target)
	require.JSONEq(t, "[]", string(ada.Do(t, http.MethodGet, "/search?q=redacted", "").Body))
	require.Len(t, searched(t, lin, s, "redacted"), 1)
	require.Empty(t, searched(t, ada, s, "redacted"))

	storetest.Exec(t, s.DatabaseURL, "DELETE FROM tickets WHERE id = $1", target)
	require.Empty(t, searched(t, agent, s, "redacted or zebra"))
	require.Equal(t, 1, countRows(t, s, "search_documents"), "only the first ticket is left")

	before := countRows(t, s, "search_queue")
	agent.SetStatus(t, ticket, client.TicketStatusPending)
	require.Equal(t, before, countRows(t, s, "search_queue"), "a change of status queues nothing")
}

func TestSearchPagesThroughItsResultsInOneOrder(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	ada := s.Customer(t)
	ticket := open(t, ada, "Zebras", "About a zebra.")
	for i := range 11 {
		ada.Say(t, ticket, fmt.Sprintf("Message %d:%s", i, strings.Repeat(" zebra", 1+i%3)))
	}
	whole := searched(t, ada, s, "zebra")
	require.Len(t, whole, 12)
	require.Equal(t, client.SearchResultKindTicket, whole[0].Kind)
	var paged []client.SearchResult
	next, pages := "/search?q=zebra&limit=5", 0
	for ; next != ""; pages++ {
		got := ada.Do(t, http.MethodGet, next, "")
		require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
		var page []client.SearchResult
		require.NoError(t, json.Unmarshal(got.Body, &page))
		paged = append(paged, page...)
		next, _, _ = strings.Cut(strings.TrimPrefix(got.Header.Get("Link"), "<"), ">")
		if pages == 0 {
			other := strings.Replace(next, "q=zebra", "q=message", 1)
			ada.Do(t, http.MethodGet, other, "").RequireProblem(t, http.StatusBadRequest, client.ProblemCodeInvalidParameter)
			ada.Say(t, ticket, "What is said meanwhile is not a zebra of these pages.")
		}
	}
	require.Equal(t, 3, pages)
	require.Equal(t, whole, paged)
}

func TestChangeOfLanguageReindexesEverything(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	ada := s.Customer(t)
	open(t, ada, "Die Rechnungen", "Ich habe die Häuser bezahlt.")
	require.NoError(t, s.Search.Index(t.Context()))
	require.Empty(t, searched(t, ada, s, "Haus"))
	for _, test := range []struct {
		language, stored string
		found            int
	}{{"german", "german", 1}, {"german", "german", 1}, {"no_such_language", "simple", 0}} {
		var log bytes.Buffer
		service := search.NewService(s.Store, test.language, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, service.Prepare(t.Context()))
		require.Equal(t, test.language != test.stored, strings.Contains(log.String(), "no such text search configuration"))
		require.Equal(t, test.stored, storetest.QueryText(t, s.DatabaseURL, "SELECT language FROM search_index"))
		require.Len(t, searched(t, ada, s, "Haus"), test.found, test.language)
	}
}

// A word in every text costs no more than a rare one: the search reads the newest blocks and stops.
func TestSearchReadsABoundedPartOfTheIndex(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	ada, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	ticket := open(t, ada, "Title", "Description.")
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
		SELECT gen_random_uuid(), $1, 'customer', $2, 'common' || CASE WHEN i % 3000 = 0 THEN ' rare' ELSE '' END, now() + i * interval '1 second'
		FROM generate_series(1, 9000) AS i`, ticket, ada.ID)
	require.NoError(t, s.Search.Index(t.Context()))
	storetest.Exec(t, s.DatabaseURL, "ANALYZE")
	for name, caller := range map[string]*apitest.User{"customer": ada, "staff": agent} {
		for q, want := range map[string]int{"common": 50, "rare": 3, "common rare": 3, `"common rare"`: 3, `"rare common"`: 0, "common -rare": 50} {
			require.Len(t, searched(t, caller, s, q), want, "%s: %s", name, q)
		}
		results := searched(t, caller, s, "common")
		require.Greater(t, results[0].CreatedAt, results[49].CreatedAt, "of equally good matches, the newest come first")
	}
	plan := storetest.QueryText(t, s.DatabaseURL, "SELECT string_agg(key || ' before ' || before, ', ') FROM search_blocks(9001)")
	require.Equal(t, "a8 before 9216, a7 before 8192, a6 before 7168, a5 before 6144, a4 before 5120, b0 before 4096", plan)
}
