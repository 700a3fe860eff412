package webhook

import (
	"github.com/VictoriaMetrics/metrics"
)

// attemptBuckets are in seconds.
var attemptBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// webhookMetrics counts attempts.
type webhookMetrics struct {
	accepted, refused, unanswered *metrics.Counter
	seconds                       *metrics.PrometheusHistogram
}

func newMetrics(set *metrics.Set) *webhookMetrics {
	counter := func(result string) *metrics.Counter {
		return set.NewCounter(`support_webhook_attempts_total{result="` + result + `"}`)
	}
	return &webhookMetrics{
		accepted: counter("accepted"), refused: counter("refused"), unanswered: counter("unanswered"),
		seconds: set.NewPrometheusHistogramExt("support_webhook_attempt_seconds", attemptBuckets),
	}
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
