package assistant

import (
	"io"
	"log/slog"

	"github.com/VictoriaMetrics/metrics"

	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/groq"
)

// DefaultOptions returns the options of a server with one model and without budgets.
func DefaultOptions(client *groq.Client, log io.Writer) Options {
	d := config.Defaults()
	return Options{
		Client: client, Models: []string{d.GroqModel}, MaxTokens: d.GroqMaxTokens, MaxRunning: d.AIMaxRunning,
		Patience: d.FirstEventPatience, Metrics: metrics.NewSet(), Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
}

// DefaultLimits returns the limits of a server's upstream requests.
func DefaultLimits() groq.Limits {
	d := config.Defaults()
	return groq.Limits{
		Header: d.GroqHeaderTimeout, Idle: d.GroqSilenceTimeout, Total: d.GroqTotalTimeout,
		Retries: d.GroqRetries, RetryWait: d.GroqRetryWait,
		Line: d.GroqLineBytes, Body: d.GroqBodyBytes, Answer: d.GroqAnswerBytes,
	}
}
