package app

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// maxGarbage is how much the heap grows before a collection. Go's default is as much as it keeps, stacks included:
	// a server that keeps little would spend a tenth of its time on collections, and thousands of idle streams would have
	// as much memory for garbage as they use.
	maxGarbage = 48 << 20
	// defaultPercent is Go's default. minPercent bounds the cost of collections, and maxPercent the garbage of a server
	// that keeps next to nothing.
	defaultPercent = 100
	minPercent     = 20
	maxPercent     = 400

	garbageInterval = time.Second

	// starting is how long collections are deferred, unless the process uses more than startMemory.
	starting    = time.Second
	startMemory = 64 << 20
)

// DeferCollection defers the first collection of garbage until a start is over: collecting would take a tenth of its time.
// A start needs more memory than serving, so what it used goes back to the system then.
func DeferCollection() {
	limit := debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(limit, startMemory))
	percent := debug.SetGCPercent(-1)
	time.AfterFunc(starting, func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
		debug.FreeOSMemory()
	})
}

// boundGarbage keeps the garbage near maxGarbage until ctx ends, unless the operator has set GOGC.
func boundGarbage(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	kept := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	ticks := time.NewTicker(garbageInterval)
	defer ticks.Stop()
	for set := defaultPercent; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		metrics.Read(kept)
		// Setting it stops the world for a moment, so small changes are left out.
		percent := gcPercent(kept[0].Value.Uint64() + kept[1].Value.Uint64())
		if change := percent - set; change*change > set*set/100 {
			debug.SetGCPercent(percent)
			set = percent
		}
	}
}

// gcPercent returns the percentage of the kept bytes that leaves maxGarbage for garbage.
func gcPercent(kept uint64) int {
	return int(min(max(maxGarbage*100/max(kept, 1), minPercent), maxPercent))
}
