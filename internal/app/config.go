package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/password"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
)

// FromConfig opens the database and returns the options that the settings ask for. Its errors are those of a setting.
func FromConfig(ctx context.Context, cfg config.Config, logger *slog.Logger) (Options, error) {
	client, err := NewUpstream(cfg, logger)
	if err != nil {
		return Options{}, err
	}
	s, err := OpenStore(ctx, cfg, cfg.DBMaxConns)
	if err != nil {
		return Options{}, err
	}
	return Options{
		Store: s,
		Auth: auth.Options{
			Secret: []byte(cfg.JWTSecret.Reveal()), AcceptedSecrets: cfg.AcceptedSecrets(), TokenTTL: cfg.AccessTokenTTL(),
		},
		Account: account.Options{Passwords: password.NewHasher(password.DefaultCost), Limits: limits(cfg)},
		Assistant: assistant.Options{
			Client: client, Models: cfg.GroqModels(), MaxTokens: cfg.GroqMaxTokens,
			Budget:     assistant.Budget{Running: cfg.AIRunning, PerMinute: cfg.AIPerMinute, PerDay: cfg.AIPerDay},
			MaxRunning: cfg.AIMaxRunning,
		},
		Writing: ticket.Budget{
			Tickets: int32(cfg.TicketsPerDay), Messages: int32(cfg.MessagesPerDay), //nolint:gosec // config bounds them.
			Bytes: cfg.BytesPerDay,
		},
		HTTP: httpapi.Options{
			AllowedOrigins: cfg.AllowedOrigins, TrustedProxies: cfg.ProxyNetworks(), RateLimit: cfg.RateLimit,
			MaxStreams: cfg.MaxStreams, MaxStreamsEach: cfg.StreamsPerAccount, Docs: cfg.Docs,
		},
		DebugAddr: cfg.DebugAddr, Logger: logger,
	}, nil
}

// OpenStore opens the database of the settings. Its errors are those of a setting.
func OpenStore(ctx context.Context, cfg config.Config, maxConns int32) (*store.Store, error) {
	return store.Open(ctx, store.Config{
		URL: cfg.DatabaseURL.Reveal(), MaxConns: maxConns, TransactionPooler: cfg.TransactionPooler(),
	})
}

func limits(cfg config.Config) account.Limits {
	l := account.DefaultLimits()
	l.SignUps, l.NetworkFailedLogIns = cfg.SignUpLimit, cfg.LogInLimit
	return l
}

// NewUpstream returns the client of the model server. It is nil without an API key for Groq itself: then answers are
// switched off. Its errors are those of a setting.
func NewUpstream(cfg config.Config, logger *slog.Logger) (*groq.Client, error) {
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
		return nil, fmt.Errorf("GROQ_API_URL or GROQ_API_KEY: %w", err)
	}
	return client, nil
}
