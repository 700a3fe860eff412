//go:build chaos && linux

package chaos

import (
	"encoding/json"
	"io"
	"math"
	"slices"
	"sync"
	"testing"
	"time"
)

// report is the output of a run.
type report struct {
	mu        sync.Mutex
	scenarios []*figures
}

func (r *report) write(w io.Writer, seed uint64, took time.Duration, ok bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(map[string]any{
		"seed": seed, "seconds": seconds(took), "ok": ok, "scenarios": r.scenarios,
	})
}

// figures are the results of one scenario.
type figures struct {
	mu        sync.Mutex
	scenario  string
	ok        bool
	took      time.Duration
	counts    map[string]int
	durations map[string][]time.Duration
}

// measure returns the figures of a scenario. They are reported when the test ends.
func measure(t *testing.T, scenario string) *figures {
	t.Helper()
	f := &figures{scenario: scenario, counts: make(map[string]int), durations: make(map[string][]time.Duration)}
	start := time.Now()
	t.Cleanup(func() {
		f.mu.Lock()
		f.ok, f.took = !t.Failed(), time.Since(start)
		f.mu.Unlock()
		suite.report.mu.Lock()
		defer suite.report.mu.Unlock()
		suite.report.scenarios = append(suite.report.scenarios, f)
	})
	return f
}

// add increases a counter. Adding 0 makes it appear in the report.
func (f *figures) add(name string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[name] += n
}

func (f *figures) get(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[name]
}

// lasted records a duration.
func (f *figures) lasted(name string, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.durations[name] = append(f.durations[name], d)
}

// most returns the longest duration recorded under a name.
func (f *figures) most(name string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.durations[name]) == 0 {
		return 0
	}
	return slices.Max(f.durations[name])
}

// MarshalJSON writes durations as their percentiles in milliseconds.
func (f *figures) MarshalJSON() ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	durations := make(map[string]any)
	for name, all := range f.durations {
		slices.Sort(all)
		at := func(share float64) float64 {
			rank := int(math.Ceil(share * float64(len(all))))
			return float64(all[rank-1].Microseconds()) / 1000
		}
		durations[name] = map[string]any{"n": len(all), "p50": at(0.5), "p99": at(0.99), "max": at(1)}
	}
	return json.Marshal(struct {
		Scenario  string         `json:"scenario"`
		OK        bool           `json:"ok"`
		Seconds   float64        `json:"seconds"`
		Counts    map[string]int `json:"counts"`
		Durations map[string]any `json:"milliseconds"`
	}{f.scenario, f.ok, seconds(f.took), f.counts, durations})
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
