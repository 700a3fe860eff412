package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/idempotency"
	"github.com/supportbackend/support/internal/password"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
)

const (
	// drainDelay is how long a server that is no longer ready still takes requests, until everybody knows.
	drainDelay = 5 * time.Second
	// answersTimeout is how long running answers have to finish after that, and shutdownTimeout all requests.
	answersTimeout  = 18 * time.Second
	shutdownTimeout = 20 * time.Second
)

// app is the parts of the product, put together.
type app struct {
	store     *store.Store
	auth      *auth.Service
	assistant *assistant.Service
	tickets   *ticket.Service
	keys      *idempotency.Service
	server    *httpapi.Server
	http      *http.Server
	debug     net.Listener
	logger    *slog.Logger
}

func newApp(ctx context.Context, cfg config.Config, logger *slog.Logger) (*app, error) {
	s, err := openStore(ctx, cfg, cfg.DBMaxConns)
	if err != nil {
		return nil, settingsError{err}
	}
	accounts, err := auth.NewService(s, auth.Options{
		Passwords: password.NewHasher(password.DefaultCost),
		Secret:    []byte(cfg.JWTSecret.Reveal()), AcceptedSecrets: cfg.AcceptedSecrets(), TokenTTL: cfg.AccessTokenTTL(),
		Limits: limits(cfg), Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	client, err := newGroqClient(cfg, logger)
	if err != nil {
		return nil, err
	}
	ai := assistant.NewService(s, assistant.Options{
		Client: client, Models: cfg.GroqModels(), MaxTokens: cfg.GroqMaxTokens,
		Budget:     assistant.Budget{Running: cfg.AIRunning, PerMinute: cfg.AIPerMinute, PerDay: cfg.AIPerDay},
		MaxRunning: cfg.AIMaxRunning, Encode: httpapi.EncodeEvent, Logger: logger,
	})
	tickets := ticket.NewService(s, ticket.Budget{
		Tickets: int32(cfg.TicketsPerDay), Messages: int32(cfg.MessagesPerDay), //nolint:gosec // config bounds them.
		Bytes: int64(cfg.BytesPerDay),
	}, logger)
	keys := idempotency.NewService(s, logger)
	server, err := httpapi.New(httpapi.Options{
		Auth: accounts, Tickets: tickets, Assistant: ai, Keys: keys, Ready: s.Ready,
		Secret: []byte(cfg.JWTSecret.Reveal()), AcceptedSecrets: cfg.AcceptedSecrets(),
		AllowedOrigins: cfg.AllowedOrigins, TrustedProxies: cfg.ProxyNetworks(),
		RateLimit: cfg.RateLimit, MaxStreams: cfg.MaxStreams, MaxStreamsEach: cfg.StreamsPerAccount, Docs: cfg.Docs, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	a := &app{
		store: s, auth: accounts, assistant: ai, tickets: tickets, keys: keys, server: server, http: httpapi.HTTPServer(server, logger),
		logger: logger,
	}
	if cfg.DebugAddr != "" {
		a.debug, err = listen(ctx, cfg.DebugAddr)
	}
	return a, err
}

func openStore(ctx context.Context, cfg config.Config, maxConns int32) (*store.Store, error) {
	return store.Open(ctx, store.Config{
		URL: cfg.DatabaseURL.Reveal(), MaxConns: maxConns, TransactionPooler: cfg.TransactionPooler(),
	})
}

func limits(cfg config.Config) auth.Limits {
	l := auth.DefaultLimits()
	l.SignUps, l.NetworkFailedLogIns = cfg.SignUpLimit, cfg.LogInLimit
	return l
}

// newGroqClient returns nil without an API key for Groq itself: then answers are switched off.
func newGroqClient(cfg config.Config, logger *slog.Logger) (*groq.Client, error) {
	if cfg.GroqAPIKey == "" && cfg.GroqAPIURL == config.DefaultGroqAPIURL {
		logger.Warn("ai answers are switched off: GROQ_API_KEY is not set")
		return nil, nil
	}
	limits := groq.DefaultLimits()
	limits.Header, limits.Idle, limits.Total = cfg.GroqHeaderTimeout, cfg.GroqSilenceTimeout, cfg.GroqTotalTimeout
	client, err := groq.New(groq.Options{
		BaseURL: cfg.GroqAPIURL, APIKey: cfg.GroqAPIKey.Reveal(), Dialect: groq.Dialect(cfg.GroqDialect), Limits: limits,
	})
	if err != nil {
		return nil, settingsError{fmt.Errorf("GROQ_API_URL or GROQ_API_KEY: %w", err)}
	}
	return client, nil
}

// serve answers requests on the listener until ctx ends. Then it is no longer ready, accepts requests for delay longer,
// and lets what is running finish.
func (a *app) serve(ctx context.Context, listener net.Listener, delay time.Duration) error {
	defer a.store.Close()
	defer a.background(ctx)()
	defer a.serveDebug(ctx, a.debug)()
	failed := make(chan error, 1)
	go func() { failed <- a.http.Serve(listener) }()
	a.logger.InfoContext(ctx, "serving", slog.String("addr", listener.Addr().String()))
	a.checkBudget(ctx)
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.server.Drain()
	a.logger.InfoContext(ctx, "shutting down")
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-time.After(delay):
	}
	return a.shutdown(context.WithoutCancel(ctx))
}

// background begins what runs beside the requests until ctx ends. stop ends it, and waits for its end.
func (a *app) background(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.auth.Sweep(ctx) })
	running.Go(func() { a.keys.Run(ctx) })
	running.Go(func() { a.tickets.Run(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// checkBudget warns about a pool that the database has no room for, and about a database that is not there yet.
func (a *app) checkBudget(ctx context.Context) {
	warning, err := a.store.CheckBudget(ctx)
	switch {
	case err != nil:
		a.logger.WarnContext(ctx, "database not usable yet", slog.Any("error", err))
	case warning != "":
		a.logger.WarnContext(ctx, "database connections", slog.String("warning", warning))
	}
}

func (a *app) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		answers, cancel := context.WithTimeout(ctx, answersTimeout)
		defer cancel()
		a.assistant.Drain(answers)
	}()
	err := a.http.Shutdown(ctx)
	<-drained
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("requests were still running after %s", shutdownTimeout)
	}
	a.logger.InfoContext(ctx, "stopped")
	return err
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	// The kernel notices peers that are gone without a word within half a minute.
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}
