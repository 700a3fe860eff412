package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/store"
)

const (
	// minRelease is the oldest PostgreSQL that the product is tested with.
	minRelease = 150000

	// Tokens are good for 30 seconds more or less, so clocks that are further apart refuse each other's.
	clockWarning, clockLimit = 5 * time.Second, 30 * time.Second

	// doctorTokens is enough for a word, and for a little reasoning before it.
	doctorTokens = 64
)

// The words that a finding begins with.
const (
	levelOK      = "ok"
	levelWarning = "warning"
	levelFailed  = "FAILED"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Try out what the settings name, and say what to do about what does not work",
		Long: "Try out what the settings of the environment, and of .env in the current folder, name: the database, its schema and\n" +
			"clock, and each AI model with one tiny completion. It changes nothing. The exit code is 1 when something has failed.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			environ, names, err := config.WithFile(os.Environ(), envFile)
			if err != nil {
				return settingsError{err}
			}
			cfg, err := loadConfigFrom(environ, 0)
			if err != nil {
				return err
			}
			d := &doctor{out: cmd.OutOrStdout(), cfg: cfg}
			return d.examine(cmd.Context(), names)
		},
	}
}

// doctor prints what it finds, a line each.
type doctor struct {
	out    io.Writer
	cfg    config.Config
	failed int
}

func (d *doctor) report(subject, level, format string, args ...any) {
	if level == levelFailed {
		d.failed++
	}
	fmt.Fprintf(d.out, "%-9s %-8s %s\n", subject, level, fmt.Sprintf(format, args...))
}

func (d *doctor) examine(ctx context.Context, fromFile []string) error {
	d.settings(fromFile)
	d.database(ctx)
	d.models(ctx)
	d.origins()
	d.proxies()
	if d.failed > 0 {
		return fmt.Errorf("%d check(s) failed", d.failed)
	}
	return nil
}

func (d *doctor) settings(fromFile []string) {
	source := "from the environment"
	if len(fromFile) > 0 {
		source += ", and from " + envFile + ": " + strings.Join(fromFile, ", ")
	}
	d.report("settings", levelOK, "%s", source)
	for _, warning := range d.cfg.Warnings {
		d.report("settings", levelWarning, "%s", warning)
	}
	if d.cfg.JWTSecret == "" {
		d.report("settings", levelWarning, `JWT_SECRET is not set: "support serve" needs it, "support dev" makes one up`)
	}
}

func (d *doctor) database(ctx context.Context) {
	if d.cfg.DatabaseURL == "" {
		d.report("database", levelWarning, `DATABASE_URL is not set: "support serve" needs it, "support dev" starts a database of its own`)
		return
	}
	s, err := app.OpenStore(ctx, d.cfg, 1)
	if err != nil {
		d.report("database", levelFailed, "%s", err)
		return
	}
	defer s.Close()
	begun := time.Now()
	server, err := s.GetDatabaseServer(ctx)
	took := time.Since(begun)
	switch {
	case err != nil:
		d.report("database", levelFailed, "%s", strings.TrimPrefix(explain(err).Error(), "database: "))
		return
	case server.ReleaseNumber < minRelease:
		d.report("database", levelFailed, "PostgreSQL %s is too old: use 15 or newer", server.Release)
		return
	}
	d.report("database", levelOK, "PostgreSQL %s, connected and answered in %s", server.Release, rounded(took))
	if warning, err := s.CheckBudget(ctx); err == nil && warning != "" {
		d.report("database", levelWarning, "%s", warning)
	}
	d.schema(ctx, s)
	d.clock(server.Now.Sub(begun), took)
}

func (d *doctor) schema(ctx context.Context, s *store.Store) {
	if err := s.Ready(ctx); err != nil {
		d.report("schema", levelFailed, "%s", explain(err))
		return
	}
	d.report("schema", levelOK, "it is the one that this program needs, or a newer one, and can be written to")
}

// clock judges by how much the database's clock is ahead. It was read at some moment of the time that the question took.
func (d *doctor) clock(ahead, took time.Duration) {
	apart := max(-ahead, ahead-took, 0)
	level, advice := levelOK, ""
	if apart > clockWarning {
		level, advice = levelWarning, ": synchronise both with NTP"
	}
	if apart > clockLimit {
		level = levelFailed
	}
	d.report("clock", level, "this machine's and the database's are at most %s apart%s", rounded(apart+took), advice)
}

// models asks every model for one word.
func (d *doctor) models(ctx context.Context) {
	client, err := app.NewUpstream(d.cfg, slog.New(slog.DiscardHandler))
	switch {
	case err != nil:
		d.report("ai", levelFailed, "%s", err)
		return
	case client == nil:
		d.report("ai", levelWarning, `GROQ_API_KEY is not set: "support serve" gives no AI answers, "support dev" simulates them`)
		return
	}
	defer client.CloseIdleConnections()
	for _, model := range d.cfg.GroqModels() {
		d.model(ctx, client, model)
	}
}

func (d *doctor) model(ctx context.Context, client *groq.Client, model string) {
	begun := time.Now()
	stream := client.Stream(ctx, groq.Request{
		Model: model, Messages: []groq.Message{{Role: groq.RoleUser, Content: "Answer with the one word: ready"}},
		MaxCompletionTokens: doctorTokens,
	})
	defer func() { _ = stream.Close() }()
	var first time.Duration
	for stream.Next() {
		if first == 0 {
			first = time.Since(begun)
		}
	}
	took := time.Since(begun)
	var fault *groq.Error
	switch err := stream.Err(); {
	case err == nil:
		d.report("ai", levelOK, "%s at %s: first text after %s, end after %s", model, client.Host(), rounded(first), rounded(took))
	case errors.As(err, &fault) && fault.Kind == groq.NoAnswer:
		d.report("ai", levelOK, "%s at %s: it reasons, and has used %d tokens for that in %s", model, client.Host(), doctorTokens, rounded(took))
	case errors.As(err, &fault):
		d.report("ai", levelFailed, "%s at %s: %s. %s", model, client.Host(), inWords(fault), d.remedy(fault, model))
	default:
		d.report("ai", levelFailed, "%s at %s: %s", model, client.Host(), err)
	}
}

// inWords tells the fault, and what the server itself says about it.
func inWords(fault *groq.Error) string {
	text := strings.TrimPrefix(fault.Error(), "groq: ")
	if fault.Message != "" {
		text += " (" + strings.TrimRight(fault.Message, ".") + ")"
	}
	return text
}

// remedy is what to do about a fault of the server.
func (d *doctor) remedy(fault *groq.Error, model string) string {
	missing := fault.Code == "model_not_found" || strings.Contains(strings.ToLower(fault.Message), "model")
	switch {
	case fault.Status == http.StatusUnauthorized || fault.Status == http.StatusForbidden:
		return "Check GROQ_API_KEY: it must be one of this server's, and may use the model."
	case fault.Status == http.StatusPaymentRequired:
		return "Check the account's credit at the server."
	case fault.Status == http.StatusTooManyRequests:
		return "The key's limits are used up: wait, or raise them at the server."
	case fault.Kind == groq.Misconfigured && missing:
		return fmt.Sprintf("Check GROQ_MODEL and GROQ_FALLBACK_MODELS, or make the server have it (Ollama: ollama pull %s).", model)
	case fault.Kind == groq.Misconfigured:
		return "Check GROQ_API_URL and GROQ_DIALECT."
	case fault.Kind == groq.Overloaded && fault.Status == 0:
		return "Check GROQ_API_URL, and that the server runs. From a container, the host's own servers are not on localhost."
	case fault.Kind == groq.Timeout:
		return "If the model must be loaded first, raise GROQ_HEADER_TIMEOUT."
	case fault.Kind == groq.Stalled:
		return "If the model is slow, raise GROQ_SILENCE_TIMEOUT."
	case fault.Kind == groq.Protocol:
		return "Check that GROQ_API_URL leads to a server that streams chat completions, mostly a URL that ends in /v1."
	default:
		return "Try again later; if it stays, look into the server's own log."
	}
}

func (d *doctor) origins() {
	if len(d.cfg.AllowedOrigins) == 0 {
		d.report("origins", levelWarning, "none: pages of other origins cannot call the API from a browser. List yours in ALLOWED_ORIGINS")
		return
	}
	for _, origin := range d.cfg.AllowedOrigins {
		level, note := levelOK, ""
		if u, err := url.Parse(origin); err == nil && u.Scheme == "http" && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
			level, note = levelWarning, " is not encrypted: whoever is between can change the page. Use https"
		}
		d.report("origins", level, "%s%s", origin, note)
	}
}

func (d *doctor) proxies() {
	if len(d.cfg.ProxyNetworks()) == 0 {
		d.report("proxies", levelWarning, "none: behind a proxy, all clients share the limits of one address. List its networks in SUPPORT_TRUSTED_PROXIES")
		return
	}
	for _, network := range d.cfg.ProxyNetworks() {
		level, note := levelOK, ""
		if ones, _ := network.Mask.Size(); ones == 0 {
			level, note = levelWarning, " is everybody: any client can claim any address. List only your proxies"
		}
		d.report("proxies", level, "%s%s", network, note)
	}
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
