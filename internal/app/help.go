package app

import (
	"bufio"
	"bytes"
	"io"

	"github.com/VictoriaMetrics/metrics"
)

// help is what metrics count, in the words of OPERATIONS.md.
var help = map[string]string{
	"support_http_request_seconds":             "request times by operation of openapi.yaml (none for other paths and methods) and status class (2xx); for a stream or a long poll, how long it was open",
	"support_http_requests_running":            "requests in progress, open streams included",
	"support_http_problems_total":              "problems by code: rate_limited, ai_quota, db_unavailable, …",
	"support_streams_open":                     "readers of AI answers: streams and long polls",
	"support_ai_responses_running":             "answers that this server is writing",
	"support_ai_first_token_seconds":           "time from the start of an answer until its first text is committed",
	"support_ai_commit_seconds":                "time of a group commit of answer text",
	"support_ai_commit_responses":              "answers that shared a group commit",
	"support_ai_takeovers_total":               "answers taken over from a server that was gone or frozen",
	"support_ai_upstream_requests_total":       "requests to the AI server, each with its retries: ok, a kind of failure, or not_sent while a failing model is skipped",
	"support_journal_head":                     "the newest position of the journal",
	"support_journal_oldest":                   "the oldest position that is kept",
	"support_journal_waiting":                  "committed entries that wait for a position",
	"support_journal_lag_seconds":              "how long the oldest entry without a position has waited",
	"support_journal_batch_entries":            "entries in a batch of positions",
	"support_journal_batch_seconds":            "time to assign a batch of positions",
	"support_webhook_attempts_total":           "attempts to deliver to webhooks: accepted, refused with another status, or unanswered",
	"support_webhook_attempt_seconds":          "how long attempts to deliver to webhooks took",
	"support_webhook_oldest_seconds":           "age of the oldest delivery that is still to be sent; webhooks that are paused or disabled do not count",
	"support_db_connections_acquired":          "database connections in use",
	"support_db_connections_idle":              "database connections not in use",
	"support_db_connections_max":               "the pool's limit (SUPPORT_DB_MAX_CONNS)",
	"support_db_connection_waits_total":        "how often a caller waited for a connection",
	"support_db_connection_wait_seconds_total": "how long callers waited for connections",
}

// writeMetrics writes the metrics with their help, which the library leaves empty.
func writeMetrics(w io.Writer, set *metrics.Set) {
	var text bytes.Buffer
	set.WritePrometheus(&text)
	out := bufio.NewWriter(w)
	for line := range bytes.Lines(text.Bytes()) {
		name, isHelp := bytes.CutPrefix(line, []byte("# HELP "))
		if isHelp {
			line = bytes.TrimSpace(line)
		}
		_, _ = out.Write(line)
		if isHelp {
			_, _ = out.WriteString(" " + help[string(bytes.TrimSpace(name))] + "\n")
		}
	}
	_ = out.Flush() // A client that is gone needs no answer.
}
