package stream

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/supportbackend/support/internal/tests/bench/report"
	"github.com/supportbackend/support/internal/tests/bench/rig"
)

const (
	// runningTokens is the number of tokens of an answer before it falls silent.
	runningTokens = 20
	// standing is how long all answers run before the server's memory is measured.
	standing = 3 * time.Second

	maxAnswerKiB = 64
)

// MeasureRunning begins so many answers, perSecond of them each second, with a reader each, whether the server keeps up or not. It
// lets all of them run at once.
func MeasureRunning(ctx context.Context, r *rig.Rig, wanted, perSecond int) (report.Stage, error) {
	// Each answer needs a reader and a connection of the simulator.
	a := &begun{wanted: wanted, asked: min(wanted, (rig.OpenFiles()-200)/2), perSecond: perSecond}
	server, err := r.StartServer(ctx)
	if err != nil {
		return report.Stage{}, err
	}
	defer server.Stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	questions, err := askMany(ctx, r.Database, server.URL, a.asked+1)
	if err != nil {
		return report.Stage{}, err
	}
	if err := hold(ctx, r, runningTokens); err != nil {
		return report.Stage{}, err
	}
	warm, err := openReader(ctx, server, questions[a.asked])
	if err != nil {
		return report.Stage{}, err
	}
	defer func() { _ = warm.Close() }()
	if err := r.Database.AwaitIndexing(ctx); err != nil {
		return report.Stage{}, err
	}
	if a.rssBefore, err = server.RSS(); err != nil {
		return report.Stage{}, err
	}
	defer a.close()
	a.cost, err = r.Cost(ctx, server, func() error {
		a.start(ctx, server, questions[:a.asked])
		return nil
	})
	if err != nil {
		return report.Stage{}, err
	}
	select {
	case <-ctx.Done():
		return report.Stage{}, ctx.Err()
	case <-time.After(standing):
	}
	if a.rss, err = server.RSS(); err != nil {
		return report.Stage{}, err
	}
	a.goroutines, err = server.Goroutines()
	return a.stage(r.Database.CountsStatements), err
}

// begun has the results of starting answers. Fewer than wanted are asked for if the limit of open files allows no more.
type begun struct {
	wanted, asked, perSecond int

	mu          sync.Mutex
	conns       []net.Conn
	firstTokens []time.Duration
	failure     error
	took        time.Duration

	cost           rig.Cost // of starting them
	rssBefore, rss int64
	goroutines     int
}

// start asks for the answers, and returns when each has begun or failed.
func (a *begun) start(ctx context.Context, server *rig.Process, questions []question) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	begin := time.Now()
	var starts sync.WaitGroup
	for i, q := range questions {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(a.perSecond)))):
		}
		starts.Go(func() {
			asked := time.Now()
			conn, err := openReader(ctx, server, q)
			took := time.Since(asked)
			a.mu.Lock()
			defer a.mu.Unlock()
			if err != nil {
				a.failure = cmp.Or(a.failure, err)
				return
			}
			a.conns, a.firstTokens = append(a.conns, conn), append(a.firstTokens, took)
		})
	}
	starts.Wait()
	a.took = time.Since(begin)
}

func (a *begun) close() {
	for _, conn := range a.conns {
		_ = conn.Close() // The server may have closed it first.
	}
}

func (a *begun) stage(countsStatements bool) report.Stage {
	n := float64(len(a.conns))
	out := report.Stage{Name: fmt.Sprintf("%d answers at once, %d begun each second", a.asked, a.perSecond), Figures: []report.Figure{
		report.Figure{Name: "answers that were not refused", Server: n}.ComparedTo("begun", float64(a.asked)).AtLeast(1),
		{Name: "memory per answer", Unit: report.UnitKiB, Server: float64(a.rss-a.rssBefore) / report.KiB / max(n, 1), Budget: maxAnswerKiB},
		{Name: "memory of the server", Unit: report.UnitMiB, Server: float64(a.rss) / report.MiB},
		{Name: "starts per second", Server: n / a.took.Seconds()},
		{Name: "CPU per answer", Unit: report.UnitMicros, Server: report.Micros(a.cost.CPU) / max(n, 1)},
		{Name: "… of the database", Unit: report.UnitMicros, Server: report.Micros(a.cost.DatabaseCPU) / max(n, 1)},
	}}
	if countsStatements {
		out.Figures = append(out.Figures, report.Figure{Name: "database statements per answer", Server: float64(a.cost.Statements) / max(n, 1)})
	}
	if a.asked < a.wanted {
		out.Note = tooFewFiles(a.wanted)
	}
	if a.failure != nil {
		out.Note = fmt.Sprintf("the first failure: %.200s", a.failure)
	}
	for _, q := range report.Quantiles {
		out.Figures = append(out.Figures, report.Figure{
			Name: "time to first token " + q.Name, Unit: report.UnitMillis, Server: report.Millis(report.Quantile(a.firstTokens, q.Share)),
		})
	}
	out.Figures = append(out.Figures, report.Figure{Name: "goroutines per answer", Server: float64(a.goroutines) / max(n, 1)})
	return out
}
