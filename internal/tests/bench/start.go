package main

import (
	"context"
	"time"

	"github.com/supportbackend/support/internal/tests/bench/report"
	"github.com/supportbackend/support/internal/tests/bench/rig"
)

const (
	starts = 5
	// settling is the longest time between a server's start and the measurement of its memory.
	settling = 2 * time.Second

	maxStartMillis = 150
	maxIdleMiB     = 32
)

// measureStart starts servers on the migrated database, one after the other, and measures what they use while idle. The
// database is empty, so no background work is due.
func measureStart(ctx context.Context, r *rig.Rig, settling time.Duration) (report.Stage, error) {
	var ready, cpu []time.Duration
	var memory int64
	for range starts {
		server, err := r.StartServer(ctx)
		if err != nil {
			return report.Stage{}, err
		}
		ready = append(ready, server.Starting)
		spent, err := server.CPU()
		if err != nil {
			server.Stop()
			return report.Stage{}, err
		}
		cpu = append(cpu, spent)
		select {
		case <-ctx.Done():
		case <-time.After(settling):
		}
		rss, err := server.RSS()
		server.Stop()
		if err != nil {
			return report.Stage{}, err
		}
		memory = max(memory, rss)
	}
	return report.Stage{Name: "the start of a server", Figures: []report.Figure{
		{Name: "time until it is ready p50", Unit: report.UnitMillis, Server: report.Millis(report.Quantile(ready, 0.5)), Budget: maxStartMillis},
		{Name: "… its CPU p50", Unit: report.UnitMillis, Server: report.Millis(report.Quantile(cpu, 0.5))},
		{Name: "memory of the idle server", Unit: report.UnitMiB, Server: float64(memory) / report.MiB, Budget: maxIdleMiB},
	}}, nil
}
