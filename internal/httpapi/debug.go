package httpapi

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"net/http/pprof"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Gauge is a number that /metrics shows as it is at the moment.
type Gauge struct {
	Name, Help string
	Read       func() float64
}

// statusClasses are the classes that answers are counted by: 1xx to 5xx.
const statusClasses = 6

// operationMetrics counts the requests of one operation.
type operationMetrics struct {
	running  atomic.Int64
	answered [statusClasses]atomic.Int64 // by the first digit of the status
	nanos    atomic.Int64                // that all the answered ones took
}

// elsewhere is the name under which requests are counted that are of no operation.
const elsewhere = "none"

// metrics counts requests by operation. The operations are those of the contract, so a stranger cannot add to them.
type metrics map[string]*operationMetrics

func newMetrics(g *gate) metrics {
	m := metrics{elsewhere: {}}
	for _, op := range g.operations {
		m[op.ID] = &operationMetrics{}
	}
	return m
}

// metricsOf returns the counters of the operation that a route is of.
func (s *Server) metricsOf(method, path string) *operationMetrics {
	if op, known := s.gate.operations[route{method, path}]; known {
		return s.metrics[op.ID]
	}
	return s.metrics[elsewhere]
}

func (m *operationMetrics) count(status int, took time.Duration) {
	m.answered[min(max(status/100, 1), statusClasses-1)].Add(1)
	m.nanos.Add(int64(took))
}

// DebugServer returns the server of what only those who run the product may see: /metrics in the text format of
// Prometheus, and /debug/pprof. It asks nobody who they are, so it belongs on an address that only they can reach.
func (s *Server) DebugServer(gauges ...Gauge) *http.Server {
	gauges = append(gauges, Gauge{"support_goroutines", "Goroutines.", func() float64 {
		return float64(runtime.NumGoroutine())
	}}, Gauge{"support_heap_bytes", "Bytes of live and dead objects on the heap.", func() float64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return float64(stats.HeapAlloc)
	}})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { s.writeMetrics(w, gauges) })
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	// Profiles take as long as they are told to.
	return &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout}
}

func (s *Server) writeMetrics(w http.ResponseWriter, gauges []Gauge) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	out := bufio.NewWriter(w)
	for _, g := range gauges {
		fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %g\n", g.Name, g.Help, g.Name, g.Name, g.Read())
	}
	var running, answered, seconds strings.Builder
	for _, id := range slices.Sorted(maps.Keys(s.metrics)) {
		m := s.metrics[id]
		fmt.Fprintf(&running, "support_http_requests_running{operation=%q} %d\n", id, m.running.Load())
		for class := 1; class < statusClasses; class++ {
			if n := m.answered[class].Load(); n > 0 {
				fmt.Fprintf(&answered, "support_http_requests_total{operation=%q,status=\"%dxx\"} %d\n", id, class, n)
			}
		}
		fmt.Fprintf(&seconds, "support_http_request_seconds_total{operation=%q} %g\n", id, time.Duration(m.nanos.Load()).Seconds())
	}
	fmt.Fprint(out, "# HELP support_http_requests_running Requests that are being answered; open streams among them.\n",
		"# TYPE support_http_requests_running gauge\n", &running,
		"# HELP support_http_requests_total Requests that were answered.\n",
		"# TYPE support_http_requests_total counter\n", &answered,
		"# HELP support_http_request_seconds_total The time that answering them took.\n",
		"# TYPE support_http_request_seconds_total counter\n", &seconds)
	_ = out.Flush() // Who asked has gone.
}
