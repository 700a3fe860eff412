// Package scale measures lists, counts, searches and reports on a large desk.
package scale

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/supportbackend/support/internal/tests/bench/report"
	"github.com/supportbackend/support/internal/tests/bench/rig"
)

const (
	// maxMillis is the limit of the p95 of a list, a count or a search, on a desk of any size.
	maxMillis = 50

	// repetitions is how often each request is sent, after warmUps requests that do not count.
	repetitions = 40
	warmUps     = 5

	// statsDelay is how long PostgreSQL may delay its statistics.
	statsDelay = 12 * time.Second

	// settleTime is how long a server may take to notice a change in the database.
	settleTime = 3 * time.Second

	// bigTable is the number of rows from which a table must not be read sequentially.
	bigTable = 10_000
)

// question is a measured request: its caller, and its path in the n-th repetition.
type question struct {
	name   string
	caller string
	path   func(n int) string
	// unbounded requests have no budget. finds means that the response must not be empty.
	unbounded, finds bool
}

func always(path string) func(int) string { return func(int) string { return path } }

// searching returns a search for other words in each repetition.
func searching(words func(n int) string) func(int) string {
	return func(n int) string { return "/search?" + url.Values{"q": {words(n)}, "limit": {"20"}}.Encode() }
}

// at returns words by their frequency.
func at(ranks ...uint64) func(int) string {
	return func(n int) string {
		var words []string
		for _, rank := range ranks {
			words = append(words, word(rank+uint64(n%10))) //nolint:gosec // It is not negative.
		}
		return strings.Join(words, " ")
	}
}

func questions(f *filler) []question {
	ticket := func(n int) string { return "/tickets/" + f.ticketID((n*7919)%f.tickets).String() }
	list := []question{
		{name: "GET /search, words in most texts", path: searching(at(0)), finds: true},
		{name: "… in one text in a hundred", path: searching(at(300)), finds: true},
		{name: "… in few texts", path: searching(at(vocabulary - 20))},
		{name: "… in none", path: searching(func(int) string { return "nowhere" })},
		{name: "… two frequent words", path: searching(at(0, 20)), finds: true},
		{name: "… a frequent and a rare word", path: searching(at(0, vocabulary-20))},
		{name: "… two rare words", path: searching(at(4000, 8000))},
		{name: "… a phrase of frequent words", path: searching(func(n int) string { return `"` + at(0, 20)(n) + `"` })},
		{name: "… without a frequent word", path: searching(func(n int) string { return at(300)(n) + " -" + word(0) })},
		{name: "… a customer, words in most texts", caller: "customer", path: searching(at(0))},
		{name: "… a customer, in few texts", caller: "customer", path: searching(at(vocabulary - 20))},
		{name: "GET /tickets", path: always("/tickets")},
		{name: "GET /tickets, a customer", caller: "customer", path: always("/tickets")},
		{name: "GET /tickets/{id}", path: ticket},
		{name: "GET /tickets/{id}/messages", path: func(n int) string { return ticket(n) + "/messages" }},
		{name: "GET /users, an administrator", caller: "admin", path: always("/users")},
		{name: "GET /users?role=agent, an administrator", caller: "admin", path: always("/users?role=agent")},
		{name: "GET /staff/tickets/counts", path: always("/staff/tickets/counts")},
		{name: "GET /staff/reports/summary, 30 days", path: always("/staff/reports/summary"), unbounded: true},
		{name: "GET /staff/reports/summary, 92 days by team", unbounded: true, path: always("/staff/reports/summary?group_by=team&from=" +
			time.Now().UTC().AddDate(0, 0, -91).Format(time.DateOnly))},
	}
	for _, query := range []string{
		"", "sort=waiting", "sort=priority", "status=open", "status=closed", "assignee=none", "assignee=" + f.agents[3].String(),
		"team=" + f.teams[2].String(), "priority=urgent", "requester=" + f.customers[77].String(), "status=open&priority=low&assignee=none",
	} {
		list = append(list, question{
			name: "GET /staff/tickets?" + strings.NewReplacer(f.agents[3].String(), "…", f.teams[2].String(), "…", f.customers[77].String(), "…").Replace(query),
			path: always("/staff/tickets?" + query),
		})
	}
	return list
}

// scaler sends requests to a server with a large desk.
type scaler struct {
	server string
	// tokens are the tokens of the callers.
	tokens map[string]string
	paths  map[string]json.RawMessage
}

// Measure fills the rig's database and requests every list, count and search that the server has.
func Measure(ctx context.Context, r *rig.Rig, tickets int, progress io.Writer) (report.Stage, error) {
	f, err := fill(ctx, r.Database, tickets, progress)
	if err != nil {
		return report.Stage{}, err
	}
	server, err := r.StartServer(ctx)
	if err != nil {
		return report.Stage{}, err
	}
	defer server.Stop()
	s := &scaler{server: server.URL, tokens: make(map[string]string)}
	if err := s.open(ctx, r, f); err != nil {
		return report.Stage{}, err
	}
	before, err := fullReads(ctx, r.Database)
	if err != nil {
		return report.Stage{}, err
	}
	out := report.Stage{Name: fmt.Sprintf("%d tickets, %d messages", tickets, tickets*messagesPerTicket)}
	for _, q := range questions(f) {
		if !s.has(q.path(0)) {
			continue
		}
		fmt.Fprintf(progress, "measuring: %s\n", q.name)
		latencies, err := s.ask(ctx, q)
		if err != nil {
			return report.Stage{}, err
		}
		p95 := report.Figure{Name: q.name + " p95", Unit: report.UnitMillis, Server: report.Millis(report.Quantile(latencies, 0.95)), Budget: maxMillis}
		if q.unbounded {
			p95.Budget = 0
		}
		out.Figures = append(out.Figures, p95, report.Figure{Name: "… p50", Unit: report.UnitMillis, Server: report.Millis(report.Quantile(latencies, 0.5))})
	}
	select {
	case <-ctx.Done():
		return report.Stage{}, ctx.Err()
	case <-time.After(statsDelay):
	}
	after, err := fullReads(ctx, r.Database)
	if err != nil {
		return report.Stage{}, err
	}
	for table, n := range after {
		out.Figures = append(out.Figures, report.Figure{Name: "reads of all of " + table, Server: float64(n - before[table]), Budget: 0.5})
	}
	return out, nil
}

// fullReads counts the sequential scans of each large table.
func fullReads(ctx context.Context, d *rig.Database) (map[string]int64, error) {
	var text []byte
	row := d.Conn.QueryRow(ctx, "SELECT json_object_agg(relname, seq_scan)::text FROM pg_stat_user_tables WHERE n_live_tup > $1", bigTable)
	if err := row.Scan(&text); err != nil {
		return nil, err
	}
	var reads map[string]int64
	err := json.Unmarshal(text, &reads)
	return reads, err
}

// open gets tokens of an agent, an administrator, and a customer with tickets over the whole time.
func (s *scaler) open(ctx context.Context, r *rig.Rig, f *filler) error {
	for name, role := range map[string]string{"": "agent", "admin": "admin", "customer": "user"} {
		c, err := rig.SignUp(ctx, s.server, len(s.tokens))
		if err != nil {
			return err
		}
		s.tokens[name] = c.Authorization
		if role != "user" {
			_, err = r.Database.Conn.Exec(ctx, "UPDATE users SET role = $2 WHERE id = $1", c.ID, role)
		} else {
			_, err = r.Database.Conn.Exec(ctx, `WITH moved AS (UPDATE tickets SET user_id = $2 WHERE user_id = $1 RETURNING id)
				UPDATE search_documents SET customer_id = $2 WHERE customer_id = $1 AND EXISTS (SELECT FROM moved)`, f.customers[77], c.ID)
		}
		if err != nil {
			return err
		}
	}
	// In this time the server notices the account's new role, and indexes the texts that now belong to the customer.
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settleTime):
	}
	response, err := s.get(ctx, "/openapi.json", "")
	if err != nil {
		return err
	}
	var contract struct {
		Paths map[string]json.RawMessage `json:"paths"`
	}
	err = json.Unmarshal(response, &contract)
	s.paths = contract.Paths
	return err
}

// has reports whether the server's contract has a path like this one.
func (s *scaler) has(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for known := range s.paths {
		if slices.EqualFunc(strings.Split(known, "/"), parts, func(k, p string) bool { return k == p || strings.HasPrefix(k, "{") }) {
			return true
		}
	}
	return false
}

func (s *scaler) ask(ctx context.Context, q question) ([]time.Duration, error) {
	var latencies []time.Duration
	for n := range warmUps + repetitions {
		began := time.Now()
		body, err := s.get(ctx, q.path(n), s.tokens[q.caller])
		if err != nil {
			return nil, err
		}
		if q.finds && len(body) < 10 {
			return nil, fmt.Errorf("%s has found nothing: %s", q.path(n), body)
		}
		if n >= warmUps {
			latencies = append(latencies, time.Since(began))
		}
	}
	return latencies, nil
}

func (s *scaler) get(ctx context.Context, path, authorization string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.server+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %d %s", path, response.StatusCode, body)
	}
	return body, err
}
