package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/supportbackend/support/internal/tests/bench/report"
	"github.com/supportbackend/support/internal/tests/bench/rig"
)

const probeInterval = 20 * time.Millisecond

// idle is the measurement with many open readers.
type idle struct {
	opening, watched time.Duration
	// rssBefore is the server's memory with the answers running and one reader of each.
	rssBefore, rss int64
	cost           rig.Cost
	connections    int
	heartbeats     int64
	goroutines     int
	// alone and crowded are how long lists of tickets took without readers and with them.
	alone, crowded []time.Duration
}

// The budgets for 10,000 idle readers on one process.
const (
	maxReaderKiB   = 40
	maxServerMiB   = 350
	maxGoroutines  = 4
	maxIdlePercent = 4
	maxListMillis  = 50
	maxConnections = 22 // the pool of a server, and two that listen
)

// tooFewFiles explains why a stage is smaller than requested.
func tooFewFiles(wanted int) string {
	return fmt.Sprintf("the limit of open files (ulimit -Hn) allows no more; %d were wanted", wanted)
}

func readersStage(c *crowd, i *idle, countsStatements bool) report.Stage {
	out := report.Stage{Name: fmt.Sprintf("%d idle readers of %d silent answers", c.readers, c.answers)}
	if c.readers < c.wanted {
		out.Note = tooFewFiles(c.wanted)
	}
	readers := float64(c.readers)
	seconds := i.watched.Seconds()
	out.Figures = []report.Figure{
		{Name: "memory per reader", Unit: report.UnitKiB, Server: float64(i.rss-i.rssBefore) / report.KiB / readers, Budget: maxReaderKiB},
		{Name: "memory of the server", Unit: report.UnitMiB, Server: float64(i.rss) / report.MiB, Budget: maxServerMiB},
		{Name: "… before the readers came", Unit: report.UnitMiB, Server: float64(i.rssBefore) / report.MiB},
		{Name: "goroutines per reader", Server: float64(i.goroutines) / readers, Budget: maxGoroutines},
		{Name: "CPU of the idle server", Unit: "% of a core", Server: 100 * i.cost.CPU.Seconds() / seconds, Budget: maxIdlePercent},
		{Name: "… of the database", Unit: "% of a core", Server: 100 * i.cost.DatabaseCPU.Seconds() / seconds},
		{Name: "heartbeats per reader", Server: float64(i.heartbeats) / readers},
		{Name: "database connections", Server: float64(i.connections), Budget: maxConnections},
		{Name: "readers let in per second", Server: readers / i.opening.Seconds()},
	}
	if countsStatements {
		out.Figures = append(out.Figures, report.Figure{
			Name: "database statements per second", Server: float64(i.cost.Statements) / seconds,
		})
	}
	for _, q := range report.Quantiles {
		f := report.Figure{Name: "GET /tickets " + q.Name, Unit: report.UnitMillis, Server: report.Millis(report.Quantile(i.crowded, q.Share))}
		if q.Share > 0.5 {
			f.Budget = maxListMillis
		}
		out.Figures = append(out.Figures, f.ComparedTo("no readers", report.Millis(report.Quantile(i.alone, q.Share))))
	}
	return out
}

// watch measures the server during heartbeats only, and then while tickets are listed.
func (c *crowd) watch(ctx context.Context, r *rig.Rig, server *rig.Process, i *idle) error {
	var err error
	i.cost, err = r.Cost(ctx, server, func() error {
		c.heartbeats.Store(0)
		begin := time.Now()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(c.watching):
		}
		i.watched, i.heartbeats = time.Since(begin), c.heartbeats.Load()
		return nil
	})
	if err != nil {
		return err
	}
	if i.connections, err = r.Database.Connections(ctx); err != nil {
		return err
	}
	if i.rss, err = server.RSS(); err != nil {
		return err
	}
	i.crowded, err = probe(ctx, c.lister, c.watching/3)
	return err
}

// probe lists tickets, like a client that is not reading a stream, and returns how long each list took.
func probe(ctx context.Context, c *rig.Customer, span time.Duration) (took []time.Duration, err error) {
	ticks := time.NewTicker(probeInterval)
	defer ticks.Stop()
	for range max(1, int(span/probeInterval)) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticks.C:
		}
		begin := time.Now()
		list, err := c.API.ListTicketsWithResponse(ctx, nil)
		if err != nil {
			return nil, err
		}
		if list.JSON200 == nil {
			return nil, fmt.Errorf("list tickets: %s", list.Body)
		}
		took = append(took, time.Since(begin))
	}
	return took, nil
}
