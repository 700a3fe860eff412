package journal

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/supportbackend/support/internal/background"
)

// watchInterval is how often metrics are read from the database.
const watchInterval = 10 * time.Second

var (
	// batchBuckets are in entries, and moveBuckets in seconds.
	batchBuckets = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, maxBatch}
	moveBuckets  = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}
)

// journalMetrics counts what is moved.
type journalMetrics struct {
	batch, seconds *metrics.PrometheusHistogram
}

func newJournalMetrics(set *metrics.Set, h *head, seen *atomic.Pointer[State]) *journalMetrics {
	set.NewGauge("support_journal_head", func() float64 {
		position, _ := h.get()
		return float64(position)
	})
	set.NewGauge("support_journal_oldest", func() float64 { return float64(seen.Load().Oldest) })
	set.NewGauge("support_journal_waiting", func() float64 { return float64(seen.Load().Waiting) })
	set.NewGauge("support_journal_lag_seconds", func() float64 { return seen.Load().LagSeconds })
	return &journalMetrics{
		batch:   set.NewPrometheusHistogramExt("support_journal_batch_entries", batchBuckets),
		seconds: set.NewPrometheusHistogramExt("support_journal_batch_seconds", moveBuckets),
	}
}

// moved counts a batch that began at the given time.
func (m *journalMetrics) moved(entries int64, begin time.Time) {
	m.batch.Update(float64(entries))
	m.seconds.UpdateDuration(begin)
}

// watch reads the journal's state for its metrics until ctx ends.
func (s *Service) watch(ctx context.Context) {
	outage := &background.Outage{While: "watching the journal", Logger: s.logger}
	background.Every(ctx, watchInterval, outage, func(ctx context.Context) error {
		state, err := s.State(ctx)
		if err == nil {
			s.seen.Store(&state)
		}
		return err
	})
}
