package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"github.com/supportbackend/support/internal/httpapi"
)

// serveDebug answers on the listener, if there is one, until the returned function is called.
func (a *app) serveDebug(ctx context.Context, listener net.Listener) (stop func()) {
	if listener == nil {
		return func() {}
	}
	server := a.server.DebugServer(a.gauges()...)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.logger.ErrorContext(ctx, "debug server", slog.Any("error", err))
		}
	}()
	a.logger.InfoContext(ctx, "serving metrics", slog.String("addr", listener.Addr().String()))
	return func() { _ = server.Close() }
}

func (a *app) gauges() []httpapi.Gauge {
	return []httpapi.Gauge{
		{Name: "support_db_connections_acquired", Help: "Database connections in use.", Read: func() float64 {
			return float64(a.store.PoolStats().Acquired)
		}},
		{Name: "support_db_connections_idle", Help: "Database connections not in use.", Read: func() float64 {
			return float64(a.store.PoolStats().Idle)
		}},
		{Name: "support_db_connections_max", Help: "Database connections there may be.", Read: func() float64 {
			return float64(a.store.PoolStats().Max)
		}},
		{Name: "support_ai_responses_running", Help: "AI answers that this server is writing.", Read: func() float64 {
			return float64(a.assistant.Running())
		}},
	}
}
