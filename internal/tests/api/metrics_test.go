package api_test

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/contracttest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// samples are a server's metrics by name and labels. Those of a histogram have the suffix _count.
type samples map[string]float64

// scrape reads /metrics as Prometheus does. It fails if one of our metrics has no type.
func scrape(t *testing.T, s *desk.Desk) (found samples, text string) {
	t.Helper()
	r := ask(t, s.Debug, http.MethodGet, "/metrics")
	require.Equal(t, http.StatusOK, r.Status)
	require.Equal(t, "text/plain; version=0.0.4; charset=utf-8", r.Header.Get("Content-Type"))
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(r.Body))
	require.NoError(t, err)
	found = make(samples)
	for name, family := range families {
		for _, m := range family.Metric {
			labels := model.LabelSet{}
			for _, l := range m.Label {
				labels[model.LabelName(l.GetName())] = model.LabelValue(l.GetValue())
			}
			key := strings.TrimSuffix(name+labels.String(), "{}")
			ours := strings.HasPrefix(name, "support_")
			switch {
			case m.Counter != nil:
				require.True(t, !ours || strings.HasSuffix(name, "_total"), name)
				found[key] = m.Counter.GetValue()
			case m.Gauge != nil:
				found[key] = m.Gauge.GetValue()
			case m.Histogram != nil:
				found[strings.Replace(key, name, name+"_count", 1)] = float64(m.Histogram.GetSampleCount())
			default:
				require.False(t, ours, "%s has no type", name)
			}
		}
	}
	return found, string(r.Body)
}

// requireSamples waits until the server shows these values, because some are counted after the response.
func requireSamples(t *testing.T, s *desk.Desk, want samples) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for range time.Tick(20 * time.Millisecond) {
		all, _ := scrape(t, s)
		found := make(samples)
		for name := range want {
			if value, shown := all[name]; shown {
				found[name] = value
			}
		}
		if maps.Equal(want, found) {
			return
		}
		if time.Now().After(deadline) {
			require.Equal(t, want, found)
		}
	}
}

func TestMetricsOfRequests(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for range 3 {
		d.owner.Do(t, http.MethodGet, "/tickets/"+d.ticket.ID.String(), "")
	}
	d.Do(t, http.MethodGet, "/tickets?x="+canary, "")
	d.Do(t, http.MethodGet, "/"+canary, "")
	requireSamples(t, d.Desk, samples{
		`support_http_request_seconds_count{operation="getTicket", status="2xx"}`:   3,
		`support_http_request_seconds_count{operation="listTickets", status="4xx"}`: 1,
		`support_http_request_seconds_count{operation="none", status="4xx"}`:        1,
		`support_http_requests_running{operation="getTicket"}`:                      0,
		`support_http_problems_total{code="unauthenticated"}`:                       1,
		`support_http_problems_total{code="not_found"}`:                             1,
		`support_http_problems_total{code="rate_limited"}`:                          0,
		`support_streams_open`: 0,
	})
	found, text := scrape(t, d.Desk)
	require.NotContains(t, text, canary)
	require.Contains(t, found, "go_goroutines")
	require.Positive(t, found["support_db_connections_max"])
	require.Equal(t, http.StatusOK, ask(t, d.Debug, http.MethodGet, "/debug/pprof/goroutine?debug=1").Status)
}

func TestMetricsOfAnswers(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	require.NoError(t, d.Simulator.Enqueue(groqsim.Script{Status: http.StatusBadRequest}))
	d.owner.OpenStream(t, d.ticket.ID, "").RequireProblem(http.StatusUnprocessableEntity, client.ProblemCodeConversationNotAccepted)
	require.NoError(t, d.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "held", After: 1}}}))
	stream := d.owner.Stream(t, d.owner.NewTicket(t).ID)
	requireSamples(t, d.Desk, samples{
		`support_http_requests_running{operation="streamAIResponse"}`: 1,
		`support_streams_open`:                 1,
		`support_ai_responses_running`:         1,
		`support_ai_first_token_seconds_count`: 1,
		`support_ai_takeovers_total`:           0,
	})
	// Expire the lease, as if the owner had been frozen. The server takes the answer over from itself, unless it renews
	// the lease first.
	for range time.Tick(100 * time.Millisecond) {
		const expire = "UPDATE ai_responses SET lease_expires_at = now() - interval '1 minute' WHERE status = 'streaming' AND attempt = 1"
		storetest.Exec(t, d.DatabaseURL, expire)
		if storetest.QueryInt(t, d.DatabaseURL, "SELECT max(attempt) FROM ai_responses") == 2 {
			break
		}
	}
	stream.ReadAll()
	d.Simulator.Release("held")
	requireSamples(t, d.Desk, samples{
		`support_streams_open`:                 0,
		`support_ai_responses_running`:         0,
		`support_ai_first_token_seconds_count`: 2,
		`support_ai_takeovers_total`:           1,
		`support_ai_upstream_requests_total{model="openai/gpt-oss-120b", result="ok"}`:        1,
		`support_ai_upstream_requests_total{model="openai/gpt-oss-120b", result="cancelled"}`: 1,
		`support_ai_upstream_requests_total{model="openai/gpt-oss-120b", result="rejected"}`:  1,
		`support_ai_upstream_requests_total{model="openai/gpt-oss-120b", result="not_sent"}`:  0,
	})
	found, _ := scrape(t, d.Desk)
	require.GreaterOrEqual(t, found["support_ai_commit_seconds_count"], 2.0)
	require.InDelta(t, found["support_ai_commit_seconds_count"], found["support_ai_commit_responses_count"], 0)
}

func TestMetricsCountRateLimits(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{RateLimit: 1})
	refused := 0.0
	for refused == 0 {
		if s.Do(t, http.MethodGet, "/tickets", "").Status == http.StatusTooManyRequests {
			refused++
		}
	}
	requireSamples(t, s, samples{`support_http_problems_total{code="rate_limited"}`: refused})
}

func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	_, text := scrape(t, d.Desk)
	page := operationsPage(t)
	documented, shown := make(map[string]string), make(map[string]string)
	row := regexp.MustCompile("(?m)^\\| `(support_[a-z_]+)[^|]*\\|[^|]*\\| (.*) \\|$")
	for _, match := range row.FindAllStringSubmatch(page, -1) {
		documented[match[1]] = strings.ReplaceAll(match[2], "`", "")
	}
	for _, match := range regexp.MustCompile(`(?m)^# HELP (support_[a-z_]+) ?(.*)$`).FindAllStringSubmatch(text, -1) {
		shown[match[1]] = match[2]
	}
	require.Equal(t, documented, shown)
	require.Greater(t, len(shown), 20)
}

func operationsPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../../OPERATIONS.md")
	require.NoError(t, err)
	return string(page)
}

func TestAlertsNameWhatExists(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	_, text := scrape(t, d.Desk)
	page := operationsPage(t)
	_, alerts, found := strings.Cut(page, "```yaml\ngroups:")
	require.True(t, found)
	alerts, _, _ = strings.Cut(alerts, "```")

	names := regexp.MustCompile(`support_[a-z_]+`).FindAllString(alerts, -1)
	require.Greater(t, len(names), 10)
	for _, name := range names {
		require.Contains(t, text, "# TYPE "+strings.TrimSuffix(name, "_bucket")+" ", name)
	}
	for _, labels := range regexp.MustCompile(`\b(code|result)[!=]?[=~]"([^"]+)"`).FindAllStringSubmatch(alerts, -1) {
		for value := range strings.SplitSeq(labels[2], "|") {
			require.Contains(t, text, labels[1]+`="`+value+`"`)
		}
	}

	// Streams, long polls and exports are open for as long as their readers like.
	match := regexp.MustCompile(`operation!~"([^"]+)"`).FindStringSubmatch(alerts)
	require.NotNil(t, match)
	excluded := regexp.MustCompile("^(?:" + match[1] + ")$")
	for path, item := range contracttest.Spec(t).Paths.Map() {
		for method, op := range item.Operations() {
			lasts := op.Parameters.GetByInAndName("query", "wait") != nil || contracttest.IsStream(op.Responses.Status(http.StatusOK))
			require.Equal(t, lasts, excluded.MatchString(op.OperationID), "%s %s", method, path)
		}
	}
}

func TestMetricsAndProfilesAreNotServedOnTheAPIAddress(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	for _, path := range []string{"/metrics", "/debug", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/debug/pprof/cmdline"} {
		require.Equal(t, http.StatusNotFound, s.Do(t, http.MethodGet, path, "").Status, path)
	}
}
