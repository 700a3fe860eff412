package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// markup is text for which HTML-safe JSON needs six times as many bytes.
var markup = strings.Repeat("<", 10_000)

func TestMarkupIsNotEscapedInJSON(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer := s.Customer(t)
	body := jsonText(t, map[string]string{"title": "<b>", "description": markup})
	for _, key := range []string{"", "a-key", "a-key"} { // Also for a stored response.
		created := customer.Do(t, http.MethodPost, "/tickets", body, contentJSON, "Idempotency-Key: "+key)
		if key == "" {
			created = customer.Do(t, http.MethodPost, "/tickets", body, contentJSON)
		}
		require.Equal(t, http.StatusCreated, created.Status, "%s", created.Body)
		require.Contains(t, string(created.Body), `"title":"<b>"`)
		require.Less(t, len(created.Body), 11_000)
	}
}

func TestPagesOfLongTicketsAreLimitedInBytes(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer := s.Customer(t)
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO tickets (id, user_id, title, description, created_at)
		SELECT gen_random_uuid(), $1, 'long', $2, now() - make_interval(secs => n) FROM generate_series(1, 200) AS n`,
		customer.ID, markup)
	seen := make(map[string]bool)
	pages := 0
	for path := "/tickets?limit=200"; path != ""; pages++ {
		got := customer.Do(t, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
		require.Less(t, len(got.Body), page.MaxBytes+200*1024, "a page has a bounded size")
		var tickets []client.Ticket
		require.NoError(t, json.Unmarshal(got.Body, &tickets))
		require.NotEmpty(t, tickets)
		for _, ticket := range tickets {
			seen[ticket.ID.String()] = true
		}
		path = ""
		if next := linkPattern.FindStringSubmatch(got.Header.Get("Link")); next != nil {
			path = next[1]
		}
	}
	require.Len(t, seen, 200)
	require.Equal(t, 2, pages)
}

func TestTicketCarriesTheLatestMessagesThatFit(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer := s.Customer(t)
	ticket := customer.NewTicket(t)
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO messages (id, ticket_id, author, content, created_at)
		SELECT gen_random_uuid(), $1, 'ai', repeat('x', 65000) || n, now() + make_interval(secs => n) FROM generate_series(1, 100) AS n`,
		ticket.ID)
	messages := customer.Messages(t, ticket.ID)
	require.Len(t, messages, page.MaxBytes/65_003)
	require.True(t, strings.HasSuffix(messages[len(messages)-1].Content, "x100"), "the newest message is included")
}

// stuck is the connection of a client that does not read.
type stuck struct {
	*httptest.ResponseRecorder
	writing chan struct{}
	read    chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	select {
	case s.writing <- struct{}{}:
	default:
	}
	<-s.read
	return s.ResponseRecorder.Write(p)
}

func TestUnreadResponsesAreLimitedInBytes(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	customer, agent := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent)
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO tickets (id, user_id, title, description)
		SELECT gen_random_uuid(), $1, 'long', $2 FROM generate_series(1, 105)`, customer.ID, markup)
	ask := func(user *apitest.User, w http.ResponseWriter) {
		r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, "/tickets?limit=200", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+user.Token)
		s.API.ServeHTTP(w, r)
	}
	const unread = 7 // Each response has a little more than 1 MiB.
	read := make(chan struct{})
	var waiting sync.WaitGroup
	clients := make([]*stuck, unread)
	for i := range clients {
		clients[i] = &stuck{httptest.NewRecorder(), make(chan struct{}, 1), read}
		waiting.Go(func() { ask(customer, clients[i]) })
		<-clients[i].writing
	}
	refused := httptest.NewRecorder()
	ask(customer, refused)
	apitest.RequireProblem(t, refused.Code, refused.Body.Bytes(), http.StatusTooManyRequests, client.ProblemCodeRateLimited)
	require.Equal(t, "1", refused.Header().Get("Retry-After"))
	written := customer.Do(t, http.MethodPost, "/tickets", `{"title":"x","description":"x"}`, contentJSON)
	require.Equal(t, http.StatusCreated, written.Status, "a write is not refused after its effect")
	other := httptest.NewRecorder()
	ask(agent, other)
	require.Equal(t, http.StatusOK, other.Code, "another account is not affected")

	close(read)
	waiting.Wait()
	for _, c := range clients {
		require.Equal(t, http.StatusOK, c.Code)
	}
	again := httptest.NewRecorder()
	ask(customer, again)
	require.Equal(t, http.StatusOK, again.Code, "what was read is no longer held")
}
