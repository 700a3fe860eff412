package main

import (
	"context"
	"time"
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
func measureStart(ctx context.Context, r *rig, settling time.Duration) (stage, error) {
	var ready, cpu []time.Duration
	var memory int64
	for range starts {
		server, err := r.startServer(ctx)
		if err != nil {
			return stage{}, err
		}
		ready = append(ready, server.starting)
		spent, err := server.cpu()
		if err != nil {
			server.stop()
			return stage{}, err
		}
		cpu = append(cpu, spent)
		select {
		case <-ctx.Done():
		case <-time.After(settling):
		}
		rss, err := server.rss()
		server.stop()
		if err != nil {
			return stage{}, err
		}
		memory = max(memory, rss)
	}
	return stage{Name: "the start of a server", Figures: []figure{
		{Name: "time until it is ready p50", Unit: unitMillis, Server: millis(quantile(ready, 0.5)), Budget: maxStartMillis},
		{Name: "… its CPU p50", Unit: unitMillis, Server: millis(quantile(cpu, 0.5))},
		{Name: "memory of the idle server", Unit: unitMiB, Server: float64(memory) / mib, Budget: maxIdleMiB},
	}}, nil
}
