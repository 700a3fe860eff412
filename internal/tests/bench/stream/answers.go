// Package stream measures answers on their way to readers, beside the plain proxy, and many answers and readers at once.
package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/tests/bench/report"
	"github.com/supportbackend/support/internal/tests/bench/rig"
	"github.com/supportbackend/support/internal/tests/bench/stamp"
)

// load is how the simulator sends answers, and how many are read.
type load struct {
	name string
	// speed is in tokens per second; negative means unthrottled.
	speed float64
	// streams is the number of concurrent streams.
	streams int
	// The paths take turns of perRound answers each, so that other load on the machine affects all of them.
	rounds, perRound int
	tokens           int // per answer
	// light means that the machine is not saturated, so that added times belong to the server.
	light bool
}

var loads = []load{
	{name: "unthrottled", speed: -1, streams: 1, perRound: 30, tokens: 256},
	{name: "500 tokens/s", speed: 500, streams: 1, perRound: 10, tokens: 128, light: true},
	{name: "500 tokens/s", speed: 500, streams: 8, perRound: 16, tokens: 256},
}

func (l load) answers() int { return l.rounds * l.perRound }

func (l load) String() string {
	return fmt.Sprintf("%s, %d at a time, %d answers of %d tokens", l.name, l.streams, l.answers(), l.tokens)
}

// measured is the result of one path.
type measured struct {
	samples []sample
	cost    rig.Cost
}

// MeasureAnswers reads answers straight from the simulator, through the plain proxy and from the server, in turn. A brief
// measurement has two answers in each round.
func MeasureAnswers(ctx context.Context, r *rig.Rig, rounds int, brief bool, progress io.Writer) ([]report.Stage, error) {
	var stages []report.Stage
	for _, l := range loads {
		l.rounds = rounds
		if brief {
			l.perRound = max(2, l.streams)
		}
		fmt.Fprintf(progress, "measuring: %s\n", l)
		found, err := l.measure(ctx, r)
		if err != nil {
			return nil, err
		}
		stages = append(stages, found)
	}
	return stages, nil
}

func (l load) measure(ctx context.Context, r *rig.Rig) (report.Stage, error) {
	server, err := r.StartServer(ctx)
	if err != nil {
		return report.Stage{}, err
	}
	defer server.Stop()
	if err := r.Script(groqsim.Script{Deltas: stamp.Tokens(l.tokens), TokensPerSecond: l.speed}); err != nil {
		return report.Stage{}, err
	}
	paths, err := l.paths(ctx, r, server)
	if err != nil {
		return report.Stage{}, err
	}
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: l.streams, DisableCompression: true}}
	defer c.CloseIdleConnections()
	results := make([]measured, len(paths))
	for round := range l.rounds {
		for i, p := range paths {
			spent, err := r.Cost(ctx, p.process, func() error { return results[i].add(ctx, p, c, r.Clock, l, round) })
			if err != nil {
				return report.Stage{}, err
			}
			results[i].cost = results[i].cost.Plus(spent)
		}
	}
	return answersStage(l, &results[0], &results[1], &results[2], r.Database.CountsStatements), nil
}

// paths returns the three ways to an answer. The first answer is not measured: it warms the server up, and shows the
// server's request to the simulator, which the other paths then repeat.
func (l load) paths(ctx context.Context, r *rig.Rig, server *rig.Process) ([]path, error) {
	questions, err := ask(ctx, server.URL, l.answers()+1)
	if err != nil {
		return nil, err
	}
	support := path{
		name: "server", process: server, end: "event: done",
		request: func(ctx context.Context, i int) (*http.Request, error) {
			q := questions[i]
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+q.path(), http.NoBody)
			if err == nil {
				request.Header.Set("Authorization", q.Authorization)
			}
			return request, err
		},
	}
	if _, err := support.read(ctx, http.DefaultClient, r.Clock, l.answers(), l.tokens); err != nil {
		return nil, err
	}
	asked := r.Simulator.Requests()
	if len(asked) != 1 {
		return nil, errors.New("the first answer was not asked for once")
	}
	plain := func(base string) func(context.Context, int) (*http.Request, error) {
		return func(ctx context.Context, _ int) (*http.Request, error) {
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+asked[0].Path, bytes.NewReader(asked[0].Body))
			if err == nil {
				request.Header = asked[0].Header.Clone()
				request.Header.Set("Authorization", "Bearer simulated")
			}
			return request, err
		}
	}
	return []path{
		{name: "direct", end: "[DONE]", request: plain(r.Upstream)},
		{name: "proxy", process: r.Proxy, end: "[DONE]", request: plain(r.Proxy.URL)},
		support,
	}, nil
}

// add reads one round of answers, with the load's concurrency.
func (m *measured) add(ctx context.Context, p path, c *http.Client, clock stamp.Clock, l load, round int) error {
	samples, failures := make([]sample, l.perRound), make([]error, l.perRound)
	next := make(chan int, l.perRound)
	for i := range l.perRound {
		next <- i
	}
	close(next)
	var readers sync.WaitGroup
	for range l.streams {
		readers.Go(func() {
			for i := range next {
				samples[i], failures[i] = p.read(ctx, c, clock, round*l.perRound+i, l.tokens)
			}
		})
	}
	readers.Wait()
	m.samples = append(m.samples, samples...)
	return errors.Join(failures...)
}

// firstToken returns the quantile of the times to the first token.
func (m *measured) firstToken(q float64) time.Duration {
	var all []time.Duration
	for _, s := range m.samples {
		all = append(all, s.firstToken)
	}
	return report.Quantile(all, q)
}

// lag returns the quantile of the times from the simulator to the reader.
func (m *measured) lag(q float64) time.Duration {
	var all []time.Duration
	for _, s := range m.samples {
		all = append(all, s.lags...)
	}
	return report.Quantile(all, q)
}

// On an idle machine, maxAddedMillis is the most that the server may add to the first token of an answer (p50 and p99),
// and maxLagMillis the longest delay of a token. maxSaturated and maxPaced are the cost of a token as a ratio to the
// proxy.
var (
	maxAddedMillis = []float64{2, 8}
	maxLagMillis   = []float64{3, 12}
)

const againstProxy = "proxy"

const maxSaturated, maxPaced = 2.5, 1.7

// answersStage compares the paths.
func answersStage(l load, direct, proxy, server *measured, countsStatements bool) report.Stage {
	out := report.Stage{Name: l.String()}
	add := func(f report.Figure) { out.Figures = append(out.Figures, f) }
	for i, q := range report.Quantiles {
		base, plain, total := direct.firstToken(q.Share), proxy.firstToken(q.Share), server.firstToken(q.Share)
		added := report.Figure{Name: "… more than straight from the simulator", Unit: report.UnitMillis, Server: report.Millis(total - base)}
		if l.light {
			added.Budget = maxAddedMillis[i]
		}
		add(report.Figure{Name: "time to first token " + q.Name, Unit: report.UnitMillis, Server: report.Millis(total)}.
			ComparedTo(againstProxy, report.Millis(plain)))
		add(added.ComparedTo(againstProxy, report.Millis(plain-base)))
	}
	for i, q := range report.Quantiles {
		lag := report.Figure{Name: "a token on its way " + q.Name, Unit: report.UnitMillis, Server: report.Millis(server.lag(q.Share))}
		if l.light {
			lag.Budget = maxLagMillis[i]
		}
		add(lag.ComparedTo(againstProxy, report.Millis(proxy.lag(q.Share))))
	}
	maxCost := maxPaced
	if l.speed < 0 {
		maxCost = maxSaturated
	}
	answers, perAnswer := float64(l.answers()), float64(l.tokens)
	all, text := answers*perAnswer, perAnswer*float64(len(stamp.Blank))
	add(report.Figure{Name: "CPU per token", Unit: report.UnitMicros, Server: report.Micros(server.cost.CPU) / all}.
		ComparedTo(againstProxy, report.Micros(proxy.cost.CPU)/all).AtMost(maxCost))
	add(report.Figure{Name: "… with the database's", Unit: report.UnitMicros, Server: report.Micros(server.cost.CPU+server.cost.DatabaseCPU) / all}.
		ComparedTo(againstProxy, report.Micros(proxy.cost.CPU)/all))
	if countsStatements {
		add(report.Figure{Name: "database statements per answer", Server: float64(server.cost.Statements) / answers}.
			ComparedTo("tokens", perAnswer))
	}
	add(report.Figure{Name: "WAL per answer", Unit: report.UnitBytes, Server: float64(server.cost.WALBytes) / answers}.ComparedTo("its text", text))
	add(report.Figure{Name: "stored per answer", Unit: report.UnitBytes, Server: float64(server.cost.Size) / answers}.ComparedTo("its text", text))
	return out
}
