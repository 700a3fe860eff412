package assistant

import (
	"fmt"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/supportbackend/support/internal/groq"
)

var (
	// firstTokenBuckets are in seconds: a fast model needs 0.2, one that thinks first a minute.
	firstTokenBuckets = []float64{.1, .2, .3, .5, .75, 1, 1.5, 2.5, 5, 10, 20, 60}
	// commitBuckets are in seconds, and batchBuckets in responses.
	commitBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}
	batchBuckets  = []float64{1, 2, 5, 10, 20, 50, 100, 200, maxBatch}
)

// What became of an upstream request that no groq.Kind stands for.
const (
	resultOK      = "ok"
	resultNotSent = "not_sent" // The model's breaker was open.
)

// engineMetrics counts what the engine does. Models are those that the operator offers, and results a closed list.
type engineMetrics struct {
	firstToken, commitSeconds, commitBatch *metrics.PrometheusHistogram
	takeovers                              *metrics.Counter
	// upstream counts requests by model and result.
	upstream map[string]map[string]*metrics.Counter
}

func newEngineMetrics(set *metrics.Set, models []string) *engineMetrics {
	m := &engineMetrics{
		firstToken:    set.NewPrometheusHistogramExt("support_ai_first_token_seconds", firstTokenBuckets),
		commitSeconds: set.NewPrometheusHistogramExt("support_ai_commit_seconds", commitBuckets),
		commitBatch:   set.NewPrometheusHistogramExt("support_ai_commit_responses", batchBuckets),
		takeovers:     set.NewCounter("support_ai_takeovers_total"),
		upstream:      make(map[string]map[string]*metrics.Counter),
	}
	for _, model := range models {
		m.upstream[model] = make(map[string]*metrics.Counter)
		for _, result := range append([]string{resultOK, resultNotSent}, kinds()...) {
			name := fmt.Sprintf("support_ai_upstream_requests_total{model=%q,result=%q}", model, result)
			m.upstream[model][result] = set.GetOrCreateCounter(name) // A model may be named twice.
		}
	}
	return m
}

func kinds() (names []string) {
	for _, kind := range groq.Kinds() {
		names = append(names, string(kind))
	}
	return names
}

// asked counts a request to upstream by how it ended.
func (m *engineMetrics) asked(model string, err error) {
	result := resultOK
	if kind := kindOf(err); kind != "" {
		result = string(kind)
	}
	m.upstream[model][result].Inc()
}

// notSent counts a request that the model's breaker did not let through.
func (m *engineMetrics) notSent(model string) { m.upstream[model][resultNotSent].Inc() }

// committed counts a group commit that began at the given time.
func (m *engineMetrics) committed(responses int, begin time.Time) {
	m.commitBatch.Update(float64(responses))
	m.commitSeconds.UpdateDuration(begin)
}

// Running is how many answers this replica is writing.
func (s *Service) Running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.owners)
}
