package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/guard"
)

// probeTokens is enough for a word, and for a little reasoning before it.
const probeTokens = 64

// models asks each model for one word.
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
		MaxCompletionTokens: probeTokens,
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
		d.report("ai", levelOK, "%s at %s: it reasons, and spent all %d tokens on that in %s", model, client.Host(), probeTokens, rounded(took))
	case errors.As(err, &fault):
		d.report("ai", levelFailed, "%s at %s: %s. %s", model, client.Host(), inWords(fault), remedy(fault, model))
	default:
		d.report("ai", levelFailed, "%s at %s: %s", model, client.Host(), err)
	}
}

// inWords describes the fault, with the server's own text.
func inWords(fault *groq.Error) string {
	text := strings.TrimPrefix(fault.Error(), "groq: ")
	if fault.Message != "" {
		text += " (" + strings.TrimRight(fault.Message, ".") + ")"
	}
	return text
}

// remedy returns what to do about a fault of the server.
func remedy(fault *groq.Error, model string) string {
	var refused *guard.RefusedError
	missing := fault.Code == "model_not_found" || strings.Contains(strings.ToLower(fault.Message), "model")
	switch {
	case fault.Status == http.StatusUnauthorized || fault.Status == http.StatusForbidden:
		return "Check GROQ_API_KEY: the key must belong to this server, and be allowed to use the model."
	case fault.Status == http.StatusPaymentRequired:
		return "Check the account's credit with the provider."
	case fault.Status == http.StatusTooManyRequests:
		return "The key has reached its limits: wait, or have the provider raise them."
	case fault.Kind == groq.Misconfigured && missing:
		return fmt.Sprintf("Check GROQ_MODEL and GROQ_FALLBACK_MODELS, or install the model on the server (Ollama: ollama pull %s).", model)
	case fault.Code == "invalid_tls":
		return "Check GROQ_API_URL, and the server's certificate. SSL_CERT_FILE names a file with the authorities that are trusted."
	case errors.As(fault, &refused):
		return "Check GROQ_API_URL, or add the network to GROQ_ALLOW."
	case fault.Kind == groq.Misconfigured:
		return "Check GROQ_API_URL and GROQ_DIALECT."
	case fault.Kind == groq.Overloaded && fault.Status == 0:
		return "Check GROQ_API_URL, and that the server is running. In a container, localhost is not the host."
	case fault.Kind == groq.Timeout:
		return "If the model must be loaded first, raise GROQ_HEADER_TIMEOUT."
	case fault.Kind == groq.Stalled:
		return "If the model is slow, raise GROQ_SILENCE_TIMEOUT."
	case fault.Kind == groq.Protocol:
		return "Check that GROQ_API_URL leads to a server that streams chat completions. Most such URLs end in /v1."
	default:
		return "Try again later. If it fails again, check the log of the AI server."
	}
}
