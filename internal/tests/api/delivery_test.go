package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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

func TestPagesOfLongTextsAreLimitedInBytes(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{NoAI: true})
	customer, agent, admin := s.Customer(t), s.Staff(t, sqlc.UserRoleAgent), s.Staff(t, sqlc.UserRoleAdmin)
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO tickets (id, user_id, title, description, created_at)
		SELECT gen_random_uuid(), $1, 'long', $2, now() - make_interval(secs => n) FROM generate_series(1, 120) AS n`,
		customer.ID, markup)
	ticket := storetest.QueryText(t, s.DatabaseURL, "SELECT id FROM tickets LIMIT 1")
	for _, sql := range []string{
		`INSERT INTO messages (id, ticket_id, author, content, created_at)
			SELECT gen_random_uuid(), $1, 'ai', repeat('<', 10000), now() + make_interval(secs => n) FROM generate_series(1, 120) AS n`,
		`INSERT INTO ai_responses (id, ticket_id, kind, status, finish_reason, model, content, lease_expires_at, finished_at)
			SELECT gen_random_uuid(), $1, 'summarize', 'completed', 'stop', 'a-model', repeat('<', 10000), now(), now()
			FROM generate_series(1, 120)`,
	} {
		storetest.Exec(t, s.DatabaseURL, sql, ticket)
	}
	storetest.Exec(t, s.DatabaseURL, `INSERT INTO prompts (id, version, company, product, tone, language, rules, instructions)
		SELECT gen_random_uuid(), n, 'x', 'x', 'friendly', 'en', array_fill(repeat('<', 300), ARRAY[20]), repeat('<', 4000)
		FROM generate_series(1, 120) AS n`)
	for path, user := range map[string]*apitest.User{
		"/tickets": customer, "/staff/tickets": agent, "/tickets/" + ticket + "/messages": customer,
		"/tickets/" + ticket + "/ai-responses": agent, "/prompts": admin,
	} {
		seen := make(map[string]bool)
		pages := 0
		for next := path + "?limit=200"; next != ""; pages++ {
			got := user.Do(t, http.MethodGet, next, "")
			require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
			require.Less(t, len(got.Body), page.MaxBytes+200*1024, "a page of %s has a bounded size", path)
			var rows []struct{ ID string }
			require.NoError(t, json.Unmarshal(got.Body, &rows))
			require.NotEmpty(t, rows)
			for _, row := range rows {
				seen[row.ID] = true
			}
			next = ""
			if link := linkPattern.FindStringSubmatch(got.Header.Get("Link")); link != nil {
				next = link[1]
			}
		}
		require.Len(t, seen, 120, path)
		require.Equal(t, 2, pages, path)
	}
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

// stuck is the connection of a client that does not read on when the text at comes.
type stuck struct {
	*httptest.ResponseRecorder
	at      string
	writing chan struct{}
	read    chan struct{}
}

func (s *stuck) SetWriteDeadline(time.Time) error { return nil }

func (s *stuck) Write(p []byte) (int, error) {
	if !bytes.Contains(p, []byte(s.at)) {
		return s.ResponseRecorder.Write(p)
	}
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
		clients[i] = &stuck{httptest.NewRecorder(), "", make(chan struct{}, 1), read}
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

// manyEvents gives the customer events with a little less text than a page of them may have, and returns the last position.
func manyEvents(t *testing.T, s *desk.Desk, customer *apitest.User) (last string) {
	t.Helper()
	ticket := customer.NewTicket(t)
	storetest.Exec(t, s.DatabaseURL, `WITH said AS (
			INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
			SELECT gen_random_uuid(), $1, 'customer', $2, repeat('x', 8000), now() + make_interval(secs => n / 1000.0)
			FROM generate_series(1, 130) AS n
			RETURNING id
		)
		INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id)
		SELECT 'message.created', 'customer', $2, $1, id, $2 FROM said`, ticket.ID, customer.ID)
	require.Eventually(t, func() bool { return countRows(t, s, "journal_outbox") == 0 }, patience, 20*time.Millisecond)
	position := storetest.QueryInt(t, s.DatabaseURL, "SELECT position FROM journal_head")
	require.NoError(t, s.Journal.Wait(t.Context(), int64(position)-1), "the server knows of the events")
	return strconv.Itoa(position)
}

// readEvents streams the customer's events to w until ctx ends or the server ends the stream.
func readEvents(ctx context.Context, s *desk.Desk, customer *apitest.User, w http.ResponseWriter) {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/events/stream?after=0", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+customer.Token)
	defer func() {
		if fault := recover(); fault != nil && fault != http.ErrAbortHandler { //nolint:errorlint // net/http compares it with == too.
			panic(fault)
		}
	}()
	s.API.ServeHTTP(w, r)
}

func TestUnreadEventsAreLimitedInBytes(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Journal: true, NoAI: true})
	customer := s.Customer(t)
	manyEvents(t, s, customer)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	defer stop()
	read := make(chan struct{})
	var streams sync.WaitGroup
	unread, refused := 0, false
	for !refused && unread < 20 {
		stream := &stuck{httptest.NewRecorder(), "data: ", make(chan struct{}, 1), read}
		ended := make(chan struct{})
		streams.Go(func() {
			defer close(ended)
			readEvents(ctx, s, customer, stream)
		})
		select {
		case <-stream.writing:
			unread++
		case <-ended:
			refused = true
			require.Equal(t, http.StatusOK, stream.Code)
			require.Equal(t, 2, strings.Count(stream.Body.String(), "retry: "), "the client shall come back: %s", stream.Body)
		}
	}
	require.True(t, refused)
	require.Equal(t, 8, unread, "streams of one account, each with 1 MiB of events that its client does not read")
	stop()
	close(read)
	streams.Wait()
}

// told is the connection of a client that reads everything. It tells when a text has come.
type told struct {
	http.ResponseWriter
	of   string
	once sync.Once
	came chan struct{}
}

func (c *told) SetWriteDeadline(time.Time) error { return nil }

func (c *told) Flush() {}

func (c *told) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.of)) {
		c.once.Do(func() { close(c.came) })
	}
	return len(p), nil
}

func TestStreamsKeepNoEventsThatTheyHaveSent(t *testing.T) { //nolint:paralleltest // It measures the process's memory.
	s := desk.New(t, desk.Options{Journal: true, NoAI: true})
	customer := s.Customer(t)
	last := manyEvents(t, s, customer)
	ctx, stop := context.WithCancel(t.Context())
	held := func() int {
		var memory runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&memory)
		return int(memory.HeapAlloc)
	}
	before := held()
	var streams sync.WaitGroup
	for range 20 {
		stream := &told{ResponseWriter: httptest.NewRecorder(), of: "id: " + last + "\n", came: make(chan struct{})}
		streams.Go(func() { readEvents(ctx, s, customer, stream) })
		<-stream.came
	}
	const unlessHeartbeat = 10 * time.Second // A heartbeat replaces the page, too.
	require.Eventually(t, func() bool { return held()-before < 5<<20 }, unlessHeartbeat, 50*time.Millisecond, "20 streams have sent 1 MiB each")
	stop()
	streams.Wait()
}
