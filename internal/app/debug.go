package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/supportbackend/support/internal/httpapi"
)

// serveDebug serves metrics and profiles, if there is an address for them, until stop is called.
func (a *App) serveDebug(ctx context.Context) (stop func(), err error) {
	if a.debugAddr == "" {
		return func() {}, nil
	}
	listener, err := Listen(ctx, "SUPPORT_DEBUG_ADDR", a.debugAddr)
	if err != nil {
		return nil, err
	}
	server := a.API.DebugServer(a.gauges()...)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.logger.ErrorContext(ctx, "debug server", slog.Any("error", err))
		}
	}()
	a.logger.InfoContext(ctx, "serving metrics", slog.String("addr", listener.Addr().String()))
	return func() { _ = server.Close() }, nil
}

func (a *App) gauges() []httpapi.Gauge {
	return []httpapi.Gauge{
		{Name: "support_db_connections_acquired", Help: "Database connections in use.", Read: func() float64 {
			return float64(a.Store.PoolStats().Acquired)
		}},
		{Name: "support_db_connections_idle", Help: "Database connections not in use.", Read: func() float64 {
			return float64(a.Store.PoolStats().Idle)
		}},
		{Name: "support_db_connections_max", Help: "Database connections there may be.", Read: func() float64 {
			return float64(a.Store.PoolStats().Max)
		}},
		{Name: "support_ai_responses_running", Help: "AI answers that this server is writing.", Read: func() float64 {
			return float64(a.Assistant.Running())
		}},
	}
}
