package request

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/tests/bench/report"
	"github.com/supportbackend/support/internal/tests/bench/rig"
	"github.com/supportbackend/support/internal/tests/bench/stamp"
)

const (
	// maxGrowth is how much more a late page or a long ticket may cost than an early page or a short ticket. It leaves
	// room for another level of an index, and for other load on the machine.
	maxGrowth = 1.5
	// pageSize is the number of tickets per measured page, and farPage is the last measured page.
	pageSize, farPage = 2, 10_000
	// walked is the number of tickets per page on the way to farPage.
	walked = 100

	shortTicket = 100
	// flatAnswers is the most answers that are started in each ticket.
	flatAnswers = 40
	flatTokens  = 20 // of an answer
)

// MeasureFlat measures whether cost stays flat: a far page of a list against the first one, and a ticket with messages
// messages against one with a hundred.
func MeasureFlat(ctx context.Context, r *rig.Rig, messages, rounds int, progress io.Writer) ([]report.Stage, error) {
	server, err := r.StartServer(ctx)
	if err != nil {
		return nil, err
	}
	defer server.Stop()
	fmt.Fprintf(progress, "measuring: a ticket of %d messages\n", messages)
	who, err := newRequester(ctx, r.Database, server.URL, 0)
	if err != nil {
		return nil, err
	}
	long, short := who.tickets[0], who.tickets[1]
	if err := errors.Join(addMessages(ctx, r.Database, long, messages), addMessages(ctx, r.Database, short, shortTicket)); err != nil {
		return nil, err
	}
	far := max(walked, min(farPage, messages/10)*pageSize)
	if _, err := r.Database.AddTickets(ctx, who.ID, far+walked); err != nil {
		return nil, err
	}
	cursor, err := who.walk(ctx, server.URL, far/walked)
	if err != nil {
		return nil, err
	}
	people := crew{who}
	get := func(path string) func(string, int) (*http.Request, error) {
		return people.requests(http.MethodGet, func(*requester, int) string { return path }, "", nil)
	}
	post := func(ticket uuid.UUID) func(string, int) (*http.Request, error) {
		return people.requests(http.MethodPost, func(*requester, int) string { return "/tickets/" + ticket.String() + "/messages" },
			`{"content":"And another thing: the second charge is from the 14th."}`, nil)
	}
	page := fmt.Sprintf("/tickets?limit=%d", pageSize)
	var stages []report.Stage
	for _, c := range []struct {
		name, other string
		status      int
		far, near   func(string, int) (*http.Request, error)
	}{
		{fmt.Sprintf("GET /tickets, page %d", far/pageSize), "page 1", http.StatusOK, get(page + "&cursor=" + url.QueryEscape(cursor)), get(page)},
		{fmt.Sprintf("GET a ticket of %d messages", messages), "of 100", http.StatusOK, get("/tickets/" + long.String()), get("/tickets/" + short.String())},
		{fmt.Sprintf("POST a message, ticket of %d", messages), "of 100", http.StatusCreated, post(long), post(short)},
	} {
		w := work{name: c.name, count: 200, status: c.status, cpu: maxGrowth, databaseCPU: maxGrowth}
		var ours, theirs spent
		for round := range rounds + 1 {
			if round == 1 {
				ours, theirs = spent{}, spent{}
			}
			for _, turn := range []struct {
				spent *spent
				make  func(string, int) (*http.Request, error)
			}{{&ours, c.far}, {&theirs, c.near}} {
				w.make = turn.make
				if err := turn.spent.add(ctx, r, server, w, round*w.count); err != nil {
					return nil, err
				}
			}
		}
		stages = append(stages, requestsStage(w, c.other, &ours, &theirs))
	}
	answers, err := measureFlatAnswers(ctx, r, server, who, long, short, messages/500)
	answers.Name = fmt.Sprintf("the answer in a ticket of %d messages", messages)
	return append(stages, answers), err
}

// addMessages adds n messages of the customer to a ticket. They are not indexed for search, which would keep the server
// busy.
func addMessages(ctx context.Context, d *rig.Database, ticket uuid.UUID, n int) error {
	_, err := d.Conn.Exec(ctx, "ALTER TABLE messages DISABLE TRIGGER messages_search")
	if err != nil {
		return err
	}
	_, err = d.Conn.Exec(ctx, `
		INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
		SELECT gen_random_uuid(), t.id, 'customer', t.user_id, 'And another thing, the ' || i || 'th.', now() - interval '2 days' + i * interval '1 second'
		FROM tickets AS t, generate_series(1, $2) AS i
		WHERE t.id = $1`, ticket, n)
	_, enabled := d.Conn.Exec(ctx, "ALTER TABLE messages ENABLE TRIGGER messages_search")
	_, analyzed := d.Conn.Exec(ctx, "ANALYZE messages")
	return errors.Join(err, enabled, analyzed)
}

var nextPage = regexp.MustCompile(`<[^>]*[?&]cursor=([^&>]+)[^>]*>; rel="next"`)

// walk skips pages of the list, and returns where the next page begins.
func (who *requester) walk(ctx context.Context, base string, pages int) (cursor string, err error) {
	for range pages {
		query := url.Values{"limit": {fmt.Sprint(walked)}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		header, err := who.send(ctx, http.MethodGet, base+"/tickets?"+query.Encode(), "")
		if err != nil {
			return "", err
		}
		found := nextPage.FindStringSubmatch(header.Get("Link"))
		if found == nil {
			return "", errors.New("the list has no further page")
		}
		if cursor, err = url.QueryUnescape(found[1]); err != nil {
			return "", err
		}
	}
	return cursor, nil
}

// send sends one request, reads the whole response and returns its header.
func (who *requester) send(ctx context.Context, method, address, body string) (http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", who.Authorization)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err = io.Copy(io.Discard, response.Body); err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s", method, address, response.Status)
	}
	return response.Header, err
}

// measureFlatAnswers adds a message to each ticket in turn and reads the answer.
func measureFlatAnswers(ctx context.Context, r *rig.Rig, server *rig.Process, who *requester, long, short uuid.UUID, rounds int) (report.Stage, error) {
	if err := r.Script(groqsim.Script{Deltas: stamp.Tokens(flatTokens), TokensPerSecond: -1}); err != nil {
		return report.Stage{}, err
	}
	spents := map[uuid.UUID]*spent{long: {}, short: {}}
	for range min(flatAnswers, rounds) {
		for _, ticket := range []uuid.UUID{long, short} {
			s, path := spents[ticket], server.URL+"/tickets/"+ticket.String()
			more, err := r.Cost(ctx, server, func() error {
				begin := time.Now()
				if _, err := who.send(ctx, http.MethodPost, path+"/messages", `{"content":"And what about this one?"}`); err != nil {
					return err
				}
				_, err := who.send(ctx, http.MethodGet, path+"/ai-response", "")
				s.latencies = append(s.latencies, time.Since(begin))
				s.wall += time.Since(begin)
				return err
			})
			if err != nil {
				return report.Stage{}, err
			}
			s.cost = s.cost.Plus(more)
		}
	}
	return requestsStage(work{cpu: maxGrowth, databaseCPU: maxGrowth}, "of 100", spents[long], spents[short]), nil
}
