package writer

import (
	"time"

	"github.com/VictoriaMetrics/metrics"
)

var (
	// firstTokenBuckets are in seconds: a fast model needs 0.2, a reasoning model up to a minute.
	firstTokenBuckets = []float64{.1, .2, .3, .5, .75, 1, 1.5, 2.5, 5, 10, 20, 60}
	// commitBuckets are in seconds, and batchBuckets in responses.
	commitBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}
	batchBuckets  = []float64{1, 2, 5, 10, 20, 50, 100, 200, maxBatch}
)

// writerMetrics are the writer's metrics.
type writerMetrics struct {
	firstToken, commitSeconds, commitBatch *metrics.PrometheusHistogram
	takeovers                              *metrics.Counter
}

func newWriterMetrics(set *metrics.Set, running func() int) *writerMetrics {
	set.NewGauge("support_ai_responses_running", func() float64 { return float64(running()) })
	return &writerMetrics{
		firstToken:    set.NewPrometheusHistogramExt("support_ai_first_token_seconds", firstTokenBuckets),
		commitSeconds: set.NewPrometheusHistogramExt("support_ai_commit_seconds", commitBuckets),
		commitBatch:   set.NewPrometheusHistogramExt("support_ai_commit_responses", batchBuckets),
		takeovers:     set.NewCounter("support_ai_takeovers_total"),
	}
}

// committed counts a group commit that began at the given time.
func (m *writerMetrics) committed(responses int, begin time.Time) {
	m.commitBatch.Update(float64(responses))
	m.commitSeconds.UpdateDuration(begin)
}
