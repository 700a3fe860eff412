package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Limits on connections to the debug address. A profile takes as long as the request says.
const (
	debugHeaderTimeout = 5 * time.Second
	debugIdleTimeout   = time.Minute
)

// serveDebug serves metrics and profiles on DebugAddr, if it is set, until stop is called.
func (a *App) serveDebug(ctx context.Context) (stop func(), err error) {
	if a.debugAddr == "" {
		return func() {}, nil
	}
	listener, err := Listen(ctx, "SUPPORT_DEBUG_ADDR", a.debugAddr)
	if err != nil {
		return nil, err
	}
	handler := a.Debug()
	if addr, ok := listener.Addr().(*net.TCPAddr); ok && addr.IP.IsLoopback() {
		handler = onlyLocal(handler)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: debugHeaderTimeout, IdleTimeout: debugIdleTimeout}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.logger.ErrorContext(ctx, "debug server", slog.Any("error", err))
		}
	}()
	a.logger.InfoContext(ctx, "serving metrics", slog.String("addr", listener.Addr().String()))
	return func() { _ = server.Close() }, nil
}

// onlyLocal refuses requests that name the host in another way than as localhost or by its IP address. Otherwise a web page whose
// own name resolves to 127.0.0.1 could read everything with the operator's browser (DNS rebinding).
func onlyLocal(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if _, err := netip.ParseAddr(host); err != nil && !strings.EqualFold(host, "localhost") {
			http.Error(w, "Request this address as localhost or by its IP address.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Debug returns the handler for operators: /metrics in the Prometheus text format, and /debug/pprof. It does not
// authenticate, so serve it on an address that only operators can reach.
func (a *App) Debug() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		writeMetrics(w, a.metrics)
		metrics.WriteProcessMetrics(w)
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// newMetrics returns a set with the metrics of the connection pool. Each service adds its own.
func (o Options) newMetrics() *metrics.Set {
	metrics.ExposeMetadata(true) // Writes TYPE lines. The library has one switch for the process.
	set := metrics.NewSet()
	set.RegisterMetricsWriter(func(w io.Writer) {
		pool := o.Store.PoolStats()
		metrics.WriteGaugeFloat64(w, "support_db_connections_acquired", float64(pool.Acquired))
		metrics.WriteGaugeFloat64(w, "support_db_connections_idle", float64(pool.Idle))
		metrics.WriteGaugeFloat64(w, "support_db_connections_max", float64(pool.Max))
		metrics.WriteCounterFloat64(w, "support_db_connection_waits_total", float64(pool.Waits))
		metrics.WriteCounterFloat64(w, "support_db_connection_wait_seconds_total", pool.Waited.Seconds())
	})
	return set
}
