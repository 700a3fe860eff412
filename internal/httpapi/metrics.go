package httpapi

import (
	"fmt"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/supportbackend/support/internal/apperr"
)

// requestBuckets are the histogram's upper bounds, in seconds.
var requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// statusClasses is one more than the highest class, 5xx.
const statusClasses = 6

// elsewhere is the label for requests to paths without an operation.
const elsewhere = "none"

// requestMetrics counts requests. Its labels are the contract's operations and codes, so clients cannot add time
// series.
type requestMetrics struct {
	operations map[route]*operationMetrics
	// elsewhere counts requests to paths without an operation.
	elsewhere *operationMetrics
	problems  map[apperr.Code]*metrics.Counter
}

// operationMetrics counts the requests of one operation.
type operationMetrics struct {
	running *metrics.Gauge
	// seconds is indexed by the first digit of the status. A class that never occurs has no time series.
	seconds [statusClasses]func() *metrics.PrometheusHistogram
}

func newRequestMetrics(set *metrics.Set, g *gate) requestMetrics {
	m := requestMetrics{
		operations: make(map[route]*operationMetrics), elsewhere: newOperationMetrics(set, elsewhere),
		problems: make(map[apperr.Code]*metrics.Counter),
	}
	byID := make(map[string]*operationMetrics)
	for route, op := range g.operations {
		if byID[op.ID] == nil {
			byID[op.ID] = newOperationMetrics(set, op.ID)
		}
		m.operations[route] = byID[op.ID]
	}
	for code := range problems {
		m.problems[code] = set.NewCounter(fmt.Sprintf("support_http_problems_total{code=%q}", code))
	}
	return m
}

func newOperationMetrics(set *metrics.Set, id string) *operationMetrics {
	m := &operationMetrics{running: set.NewGauge(fmt.Sprintf("support_http_requests_running{operation=%q}", id), nil)}
	for class := range m.seconds {
		m.seconds[class] = sync.OnceValue(func() *metrics.PrometheusHistogram {
			name := fmt.Sprintf("support_http_request_seconds{operation=%q,status=\"%dxx\"}", id, class)
			return set.NewPrometheusHistogramExt(name, requestBuckets)
		})
	}
	return m
}

// of returns the counters of the operation that a route belongs to.
func (m requestMetrics) of(method, path string) *operationMetrics {
	if op, known := m.operations[route{method, path}]; known {
		return op
	}
	return m.elsewhere
}

// refused counts a problem.
func (m requestMetrics) refused(code apperr.Code) {
	if counter, known := m.problems[code]; known {
		counter.Inc()
	}
}

func (m *operationMetrics) answered(status int, took time.Duration) {
	m.seconds[min(max(status/100, 1), statusClasses-1)]().Update(took.Seconds())
}
