package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// runningTokens is the number of tokens of an answer before it falls silent.
	runningTokens = 20
	// standing is how long all answers run before the server's memory is measured.
	standing = 3 * time.Second

	maxAnswerKiB = 64
)

// measureRunning begins so many answers, perSecond of them each second, with a reader each, whether the server keeps up or not. It
// lets all of them run at once.
func measureRunning(ctx context.Context, r *rig, wanted, perSecond int) (stage, error) {
	all := wanted
	wanted = min(wanted, (openFiles()-200)/2) // Each answer needs a reader and a connection of the simulator.
	server, err := r.startServer(ctx)
	if err != nil {
		return stage{}, err
	}
	defer server.stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	questions, err := askMany(ctx, r.database, server.url, wanted+1)
	if err != nil {
		return stage{}, err
	}
	if err := hold(ctx, r, runningTokens); err != nil {
		return stage{}, err
	}
	warm, err := openReader(ctx, server, questions[wanted])
	if err != nil {
		return stage{}, err
	}
	defer func() { _ = warm.Close() }()
	if err := r.database.awaitIndexing(ctx); err != nil {
		return stage{}, err
	}
	before, err := server.rss()
	if err != nil {
		return stage{}, err
	}
	var a begun
	defer a.close()
	spent, err := r.cost(ctx, server, func() error {
		a.start(ctx, server, questions[:wanted], perSecond)
		return nil
	})
	if err != nil {
		return stage{}, err
	}
	select {
	case <-ctx.Done():
		return stage{}, ctx.Err()
	case <-time.After(standing):
	}
	rss, err := server.rss()
	if err != nil {
		return stage{}, err
	}
	n := float64(len(a.conns))
	out := stage{Name: fmt.Sprintf("%d answers at once, %d begun each second", wanted, perSecond), Figures: []figure{
		figure{Name: "answers that were not refused", Server: n}.against("begun", float64(wanted)).atLeast(1),
		{Name: "memory per answer", Unit: unitKiB, Server: float64(rss-before) / kib / max(n, 1), Budget: maxAnswerKiB},
		{Name: "memory of the server", Unit: unitMiB, Server: float64(rss) / mib},
		{Name: "starts per second", Server: n / a.took.Seconds()},
		{Name: "CPU per answer", Unit: unitMicros, Server: micros(spent.cpu) / max(n, 1)},
		{Name: "… of the database", Unit: unitMicros, Server: micros(spent.databaseCPU) / max(n, 1)},
	}}
	if r.database.statements {
		out.Figures = append(out.Figures, figure{Name: "database statements per answer", Server: float64(spent.statements) / max(n, 1)})
	}
	if wanted < all {
		out.Note = tooFewFiles(all)
	}
	if a.failure != nil {
		out.Note = fmt.Sprintf("the first failure: %.200s", a.failure)
	}
	for _, q := range quantiles {
		out.Figures = append(out.Figures, figure{
			Name: "time to first token " + q.name, Unit: unitMillis, Server: millis(quantile(a.firstTokens, q.share)),
		})
	}
	goroutines, err := server.goroutines()
	out.Figures = append(out.Figures, figure{Name: "goroutines per answer", Server: float64(goroutines) / max(n, 1)})
	return out, err
}

// begun has the results of starting answers.
type begun struct {
	mu          sync.Mutex
	conns       []net.Conn
	firstTokens []time.Duration
	failure     error
	took        time.Duration
}

// start asks for the answers, perSecond of them each second, and returns when each has begun or failed.
func (a *begun) start(ctx context.Context, server *process, questions []question, perSecond int) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	begin := time.Now()
	var starts sync.WaitGroup
	for i, q := range questions {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(perSecond)))):
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
