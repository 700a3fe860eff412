package journal

import (
	"time"

	"github.com/VictoriaMetrics/metrics"
)

var (
	// batchBuckets are in entries, and moveBuckets in seconds.
	batchBuckets = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, maxBatch}
	moveBuckets  = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}
)

// journalMetrics counts what is moved.
type journalMetrics struct {
	batch, seconds *metrics.PrometheusHistogram
}

func newJournalMetrics(set *metrics.Set, h *head) *journalMetrics {
	set.NewGauge("support_journal_head", func() float64 { return float64(h.get()) })
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
