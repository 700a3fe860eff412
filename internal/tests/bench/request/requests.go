// Package request measures requests, beside the bare server, and whether their cost stays flat.
package request

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/tests/bench/report"
	"github.com/supportbackend/support/internal/tests/bench/rig"
)

const (
	// requestWorkers is the number of concurrent requests.
	requestWorkers = 8
	// requesters is the number of customers, and ticketsOfEach the number of tickets of each. Writes of one customer
	// count against one budget, and so wait for each other.
	requesters    = 16
	ticketsOfEach = 64
	// messagesOfATicket is the number of messages in the ticket that is read.
	messagesOfATicket = 10
)

// work is one kind of request, with its budgets.
type work struct {
	name   string
	count  int
	status int
	make   func(base string, i int) (*http.Request, error)
	// The budgets are ratios to the bare server. Zero means none.
	cpu, databaseCPU, p99 float64
	// throughput is the least number of requests per second, as a share of the bare server's.
	throughput float64
}

// spent is the cost of all rounds of one work on one server.
type spent struct {
	cost      rig.Cost
	wall      time.Duration
	latencies []time.Duration
}

func (s *spent) perSecond() float64 { return float64(len(s.latencies)) / s.wall.Seconds() }

// crew is the customers who send requests to both servers. The first one reads.
type crew []*requester

// requester is one customer with tickets.
type requester struct {
	*rig.Customer
	tickets []uuid.UUID
}

// Measure measures kinds of requests, each in turn on the server and on the bare server.
func Measure(ctx context.Context, r *rig.Rig, rounds int, match string, progress io.Writer) ([]report.Stage, error) {
	server, err := r.StartServer(ctx)
	if err != nil {
		return nil, err
	}
	defer server.Stop()
	people := make(crew, requesters)
	for i := range people {
		if people[i], err = newRequester(ctx, r.Database, server.URL, i); err != nil {
			return nil, err
		}
	}
	if err := people[0].converse(ctx); err != nil {
		return nil, err
	}
	bare, err := r.StartBare(ctx, people[0].ID)
	if err != nil {
		return nil, err
	}
	defer bare.Stop()
	var stages []report.Stage
	for _, w := range people.works(rounds) {
		if !strings.Contains(w.name, match) {
			continue
		}
		fmt.Fprintf(progress, "measuring: %s\n", w.name)
		var ours, theirs spent
		for round := range rounds + 1 {
			if round == 1 {
				ours, theirs = spent{}, spent{} // The first round is a warm-up.
			}
			if err := ours.add(ctx, r, server, w, round*w.count); err != nil {
				return nil, err
			}
			if err := theirs.add(ctx, r, bare, w, round*w.count); err != nil {
				return nil, err
			}
		}
		stages = append(stages, requestsStage(w, againstBare, &ours, &theirs))
	}
	return stages, nil
}

func newRequester(ctx context.Context, d *rig.Database, server string, n int) (*requester, error) {
	c, err := rig.SignUp(ctx, server, n)
	if err != nil {
		return nil, err
	}
	tickets, err := d.AddTickets(ctx, c.ID, ticketsOfEach)
	return &requester{Customer: c, tickets: tickets}, err
}

// converse adds messages to the requester's first ticket.
func (who *requester) converse(ctx context.Context) error {
	for i := range messagesOfATicket {
		added, err := who.API.CreateMessageWithResponse(ctx, who.tickets[0], nil, client.CreateMessageRequest{
			Content: fmt.Sprintf("And another thing, the %dth: the second charge is from the 14th.", i),
		})
		if err != nil {
			return err
		}
		if added.JSON201 == nil {
			return fmt.Errorf("add a message: %s", added.Body)
		}
	}
	return nil
}

// works returns the kinds of requests. Reads come first, so that writes do not change what they read.
func (people crew) works(rounds int) []work {
	const (
		ticket  = `{"title":"Invoice 4711 is wrong","description":"I was charged twice for October. Can I have it back?"}`
		message = `{"content":"And another thing: the second charge is from the 14th."}`
	)
	count := 2000
	if rounds == 1 {
		count = 40 // a trial run
	}
	run := rand.Text()
	return []work{
		{
			name: "GET /tickets/{id}, 10 messages", count: count, status: http.StatusOK, cpu: 1.5, databaseCPU: 1.2, p99: 1.5,
			make: people[:1].requests(http.MethodGet, func(who *requester, _ int) string { return "/tickets/" + who.tickets[0].String() }, "", nil),
		},
		{
			name: "GET /tickets, 20 of 64", count: count, status: http.StatusOK, cpu: 1.3, databaseCPU: 1.2, p99: 1.5,
			make: people[:1].requests(http.MethodGet, func(*requester, int) string { return "/tickets?limit=20" }, "", nil),
		},
		{
			name: "POST a message, 1,000 tickets", count: count, status: http.StatusCreated, throughput: 0.7,
			make: people.requests(http.MethodPost, func(who *requester, i int) string {
				return "/tickets/" + who.tickets[1+i/requesters%(ticketsOfEach-1)].String() + "/messages"
			}, message, nil),
		},
		{
			name: "POST a message, one busy ticket", count: count, status: http.StatusCreated, throughput: 0.5,
			make: people[:1].requests(http.MethodPost, func(who *requester, _ int) string { return "/tickets/" + who.tickets[1].String() + "/messages" }, message, nil),
		},
		{
			name: "POST /tickets", count: count, status: http.StatusCreated, cpu: 1.5, databaseCPU: 1.2, p99: 1.5,
			make: people.requests(http.MethodPost, func(*requester, int) string { return "/tickets" }, ticket, nil),
		},
		{
			name: "POST /tickets, Idempotency-Key", count: count, status: http.StatusCreated, cpu: 2,
			make: people.requests(http.MethodPost, func(*requester, int) string { return "/tickets" }, ticket, func(i int) string {
				return fmt.Sprintf("%s-%d", run, i)
			}),
		},
	}
}

// requests returns a kind of request that the members of the crew send in turn.
func (people crew) requests(
	method string, path func(who *requester, i int) string, body string, key func(i int) string,
) func(string, int) (*http.Request, error) {
	return func(base string, i int) (*http.Request, error) {
		who := people[i%len(people)]
		request, err := http.NewRequest(method, base+path(who, i), strings.NewReader(body)) //nolint:noctx // The sender sets a context.
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", who.Authorization)
		if body != "" {
			request.Header.Set("Content-Type", "application/json")
		}
		if key != nil {
			request.Header.Set("Idempotency-Key", key(i))
		}
		return request, nil
	}
}

// add sends one round of requests, numbered from first on.
func (s *spent) add(ctx context.Context, r *rig.Rig, p *rig.Process, w work, first int) error {
	more, err := r.Cost(ctx, p, func() error {
		begin := time.Now()
		latencies, err := send(ctx, p.URL, w, first)
		s.wall += time.Since(begin)
		s.latencies = append(s.latencies, latencies...)
		return err
	})
	s.cost = s.cost.Plus(more)
	return err
}

// send sends a round of requests, with one worker per concurrent request, and returns how long each took.
func send(ctx context.Context, base string, w work, first int) ([]time.Duration, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: requestWorkers}
	defer transport.CloseIdleConnections()
	sender := &http.Client{Transport: transport}
	latencies, failures := make([]time.Duration, w.count), make([]error, requestWorkers)
	var next atomic.Int64
	var workers sync.WaitGroup
	for worker := range requestWorkers {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= w.count {
					return
				}
				begin := time.Now()
				if failures[worker] = sendOne(ctx, sender, base, w, first+i); failures[worker] != nil {
					return
				}
				latencies[i] = time.Since(begin)
			}
		})
	}
	workers.Wait()
	if i := slices.IndexFunc(failures, func(err error) bool { return err != nil }); i >= 0 {
		return nil, fmt.Errorf("%s: %w", w.name, failures[i])
	}
	return latencies, nil
}

func sendOne(ctx context.Context, sender *http.Client, base string, w work, i int) error {
	request, err := w.make(base, i)
	if err != nil {
		return err
	}
	response, err := sender.Do(request.WithContext(ctx))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // The whole body was read.
	if err == nil && response.StatusCode != w.status {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return err
}

const againstBare = "bare"

// requestsStage compares the cost of work on the server with the cost on another one.
func requestsStage(w work, other string, ours, theirs *spent) report.Stage {
	n := float64(len(ours.latencies))
	per := func(d time.Duration) float64 { return report.Micros(d) / n }
	out := report.Stage{Name: w.name, Figures: []report.Figure{
		report.Figure{Name: "CPU per request", Unit: report.UnitMicros, Server: per(ours.cost.CPU)}.ComparedTo(other, per(theirs.cost.CPU)).AtMost(w.cpu),
		report.Figure{Name: "… of the database", Unit: report.UnitMicros, Server: per(ours.cost.DatabaseCPU)}.
			ComparedTo(other, per(theirs.cost.DatabaseCPU)).AtMost(w.databaseCPU),
		report.Figure{Name: "database statements per request", Server: float64(ours.cost.Statements) / n}.
			ComparedTo(other, float64(theirs.cost.Statements)/n),
		report.Figure{Name: "WAL per request", Unit: report.UnitBytes, Server: float64(ours.cost.WALBytes) / n}.
			ComparedTo(other, float64(theirs.cost.WALBytes)/n),
		report.Figure{Name: "requests per second", Server: ours.perSecond()}.ComparedTo(other, theirs.perSecond()).AtLeast(w.throughput),
	}}
	for _, q := range report.Quantiles {
		f := report.Figure{Name: "time " + q.Name, Unit: report.UnitMillis, Server: report.Millis(report.Quantile(ours.latencies, q.Share))}.
			ComparedTo(other, report.Millis(report.Quantile(theirs.latencies, q.Share)))
		if q.Share > 0.5 {
			f = f.AtMost(w.p99)
		}
		out.Figures = append(out.Figures, f)
	}
	return out
}
