package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/supportbackend/support/internal/account"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/guard"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/journal"
	"github.com/supportbackend/support/internal/password"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/ticket"
	"github.com/supportbackend/support/internal/webhook"
)

// FromConfig opens the database and returns the options for the settings. Its errors name a setting.
func FromConfig(ctx context.Context, cfg config.Config, logger *slog.Logger) (Options, error) {
	client, err := NewUpstream(cfg, logger)
	if err != nil {
		return Options{}, err
	}
	s, err := OpenStore(ctx, cfg, cfg.DBMaxConns)
	if err != nil {
		return Options{}, err
	}
	o := OptionsOf(cfg)
	o.Store, o.Assistant.Client, o.Logger = s, client, logger
	return o, nil
}

// OptionsOf returns the options for the settings, without a database, a model server and a logger.
func OptionsOf(cfg config.Config) Options {
	return Options{
		Auth: auth.Options{
			Secret: []byte(cfg.JWTSecret.Reveal()), AcceptedSecrets: cfg.AcceptedSecrets(), TokenTTL: cfg.AccessTokenTTL(),
		},
		Account: account.Options{
			Passwords: password.NewHasher(password.Cost{
				Memory: cfg.PasswordMemory, Passes: cfg.PasswordPasses, Lanes: cfg.PasswordLanes,
			}),
			Limits: account.Limits{
				FailedLogIns: cfg.FailedLogIns, NetworkFailedLogIns: cfg.LogInLimit, SignUps: cfg.SignUpLimit,
			},
		},
		Assistant: assistant.Options{
			Models: cfg.GroqModels(), MaxTokens: cfg.GroqMaxTokens, Patience: cfg.FirstEventPatience,
			Budget:     assistant.Budget{Running: cfg.AIRunning, PerMinute: cfg.AIPerMinute, PerDay: cfg.AIPerDay},
			MaxRunning: cfg.AIMaxRunning,
			Triage:     assistant.TriageRule(cfg.AITriage),
		},
		Ticket: ticket.Options{
			Budget: ticket.Budget{
				Tickets: int32(cfg.TicketsPerDay), Messages: int32(cfg.MessagesPerDay), //nolint:gosec // config bounds them.
				Bytes: cfg.BytesPerDay,
			},
			AIMode: ticket.AIMode(cfg.AIMode),
			Triage: assistant.TriageRule(cfg.AITriage) != assistant.TriageOff,
		},
		SearchLanguage: cfg.SearchLanguage,
		Journal:        journal.Options{Kept: time.Duration(cfg.JournalDays) * 24 * time.Hour},
		HTTP: httpapi.Options{
			Recheck:        cfg.StreamRecheck,
			AllowedOrigins: cfg.AllowedOrigins, TrustedProxies: cfg.ProxyNetworks(), RateLimit: cfg.RateLimit,
			MaxStreams: cfg.MaxStreams, MaxStreamsEach: cfg.StreamsPerAccount, Docs: cfg.Docs,
		},
		Webhook:   webhook.Options{Guard: guard.New(cfg.WebhookNetworks())},
		Workers:   cfg.Workers,
		DebugAddr: cfg.DebugAddr,
	}
}

// OpenStore opens the database of the settings. Its errors name a setting.
func OpenStore(ctx context.Context, cfg config.Config, maxConns int32) (*store.Store, error) {
	return store.Open(ctx, store.Config{
		URL: cfg.DatabaseURL.Reveal(), MaxConns: maxConns, TransactionPooler: cfg.TransactionPooler(),
	})
}

// NewUpstream returns the client of the model server. It returns nil, which turns answers off, when the server is Groq
// and there is no API key. Its errors name a setting.
func NewUpstream(cfg config.Config, logger *slog.Logger) (*groq.Client, error) {
	if cfg.GroqAPIKey == "" && cfg.GroqAPIURL == config.DefaultGroqAPIURL {
		logger.Warn("ai answers are switched off: GROQ_API_KEY is not set")
		return nil, nil
	}
	client, err := groq.New(groq.Options{
		BaseURL: cfg.GroqAPIURL, APIKey: cfg.GroqAPIKey.Reveal(), Dialect: groq.Dialect(cfg.GroqDialect),
		Limits: UpstreamLimits(cfg), Control: guard.New(cfg.GroqNetworks()).Control,
	})
	if err != nil {
		return nil, fmt.Errorf("GROQ_API_URL or GROQ_API_KEY: %w", err)
	}
	return client, nil
}

// UpstreamLimits returns the limits of one request to the model server.
func UpstreamLimits(cfg config.Config) groq.Limits {
	return groq.Limits{
		Header: cfg.GroqHeaderTimeout, Idle: cfg.GroqSilenceTimeout, Total: cfg.GroqTotalTimeout,
		Retries: cfg.GroqRetries, RetryWait: cfg.GroqRetryWait,
		Line: cfg.GroqLineBytes, Body: cfg.GroqBodyBytes, Answer: cfg.GroqAnswerBytes,
	}
}
