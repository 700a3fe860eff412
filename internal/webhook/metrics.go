package webhook

import (
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// attemptBuckets are in seconds.
var attemptBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// webhookMetrics counts attempts.
type webhookMetrics struct {
	accepted, refused, unanswered *metrics.Counter
	seconds                       *metrics.PrometheusHistogram
	// oldest is the age of the oldest delivery that is still to be sent, in nanoseconds.
	oldest atomic.Int64
}

func newMetrics(set *metrics.Set) *webhookMetrics {
	counter := func(result string) *metrics.Counter {
		return set.NewCounter(`support_webhook_attempts_total{result="` + result + `"}`)
	}
	m := &webhookMetrics{
		accepted: counter("accepted"), refused: counter("refused"), unanswered: counter("unanswered"),
		seconds: set.NewPrometheusHistogramExt("support_webhook_attempt_seconds", attemptBuckets),
	}
	set.NewGauge("support_webhook_oldest_seconds", func() float64 { return time.Duration(m.oldest.Load()).Seconds() })
	return m
}

func (m *webhookMetrics) attempted(r result) {
	switch {
	case r.ok():
		m.accepted.Inc()
	case r.status != 0:
		m.refused.Inc()
	default:
		m.unanswered.Inc()
	}
	m.seconds.Update(r.duration.Seconds())
}
