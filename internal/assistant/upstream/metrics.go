package upstream

import (
	"fmt"

	"github.com/VictoriaMetrics/metrics"

	"github.com/supportbackend/support/internal/groq"
)

// Results of requests for which there is no groq.Kind.
const (
	resultOK      = "ok"
	resultNotSent = "not_sent" // The model's breaker was open.
)

// requestMetrics counts requests by model and result. The models are the operator's, and the results a closed list.
type requestMetrics map[string]map[string]*metrics.Counter

func newRequestMetrics(set *metrics.Set, models []string) requestMetrics {
	m := make(requestMetrics)
	for _, model := range models {
		m[model] = make(map[string]*metrics.Counter)
		for _, result := range append([]string{resultOK, resultNotSent}, kinds()...) {
			name := fmt.Sprintf("support_ai_upstream_requests_total{model=%q,result=%q}", model, result)
			m[model][result] = set.GetOrCreateCounter(name) // A model may be listed twice.
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

// asked counts a request by its result.
func (m requestMetrics) asked(model string, err error) {
	result := resultOK
	if kind := kindOf(err); kind != "" {
		result = string(kind)
	}
	m[model][result].Inc()
}

// notSent counts a request that the model's breaker refused.
func (m requestMetrics) notSent(model string) { m[model][resultNotSent].Inc() }
