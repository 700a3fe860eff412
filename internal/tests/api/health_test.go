package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// logBuffer keeps a server's log.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// lines returns the decoded lines of the log.
func (b *logBuffer) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for text := range strings.Lines(b.text.String()) {
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &line), "a line is not JSON: %s", text)
		lines = append(lines, line)
	}
	return lines
}

// bare returns a server without a database, for probes and for requests that are refused before any service.
func bare(t *testing.T, ready func(context.Context) error) (*httpapi.Server, *logBuffer) {
	t.Helper()
	log := &logBuffer{}
	authn, err := auth.NewService(nil, auth.Options{Secret: []byte(desk.Secret)})
	require.NoError(t, err)
	api, err := httpapi.New(httpapi.Options{
		Services: httpapi.Services{Auth: authn}, Ready: ready, Secret: []byte(desk.Secret), Metrics: metrics.NewSet(), Logger: slog.New(slog.NewJSONHandler(log, nil)),
	})
	require.NoError(t, err)
	return api, log
}

// ask sends a request to a server without a network.
func ask(t *testing.T, api http.Handler, method, path string, header ...string) apitest.Response {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Add(name, value)
	}
	recorder := httptest.NewRecorder()
	api.ServeHTTP(recorder, request)
	return apitest.Response{Status: recorder.Code, Header: recorder.Header(), Body: recorder.Body.Bytes()}
}

func TestPanicIsLoggedWithItsStackAndHiddenFromTheCaller(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]any{
		"a text": "the fault is " + canary, "an error": fmt.Errorf("the fault is %s", canary), "an index out of range": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, log := bare(t, func(context.Context) error {
				if fault == nil {
					fault = []string{}[len(canary)]
				}
				panic(fault)
			})
			r := ask(t, api, http.MethodGet, "/readyz", "X-Request-Id: the-panicking-one")
			problem := requireRefused(t, r, http.StatusInternalServerError, client.ProblemCodeInternal)
			require.Equal(t, "the-panicking-one", problem.RequestID)
			require.Empty(t, problem.Detail)
			require.NotContains(t, string(r.Body), "goroutine")
			require.NotContains(t, string(r.Body), ".go")
			requireSecure(t, r, "a panic")

			lines := log.lines(t)
			require.Len(t, lines, 2)
			require.Equal(t, "panic", lines[0]["msg"])
			require.Equal(t, "the-panicking-one", lines[0]["request_id"])
			require.Contains(t, lines[0]["stack"], "health_test.go")
			require.Equal(t, "request", lines[1]["msg"])
			require.InDelta(t, http.StatusInternalServerError, lines[1]["status"], 0)
			require.Equal(t, "ERROR", lines[1]["level"])
			require.Equal(t, http.StatusOK, ask(t, api, http.MethodGet, "/livez").Status, "the process continues")
		})
	}
}

func TestServerSurvivesAPanic(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{Ready: func(context.Context) error { panic(canary) }})
	for range 3 {
		r := s.Do(t, http.MethodGet, "/readyz", "")
		requireRefused(t, r, http.StatusInternalServerError, client.ProblemCodeInternal)
	}
	s.Customer(t).NewTicket(t)
}

func TestLogHasOneLinePerRequestWithoutItsContents(t *testing.T) {
	t.Parallel()
	api, log := bare(t, nil)
	for _, path := range []string{
		"/" + canary, "/tickets/" + canary, "/tickets?limit=" + canary, "/tickets/%0d%0aX:%1b[31m" + canary, "/livez?x=" + canary,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, strings.ToUpper(canary) + strings.Repeat("X", 100)} {
			ask(t, api, method, path, "User-Agent: "+canary, "Authorization: Bearer "+canary, "Cookie: a="+canary,
				"X-Request-Id: "+canary+"\x1b[31m", "X-Forwarded-For: "+canary, "Origin: https://"+canary, "Content-Type: "+canary)
		}
	}
	lines := log.lines(t)
	require.NotEmpty(t, lines)
	for _, line := range lines {
		text := encode(t, line)
		require.NotContains(t, text, canary, "%s", text)
		require.Less(t, len(text), 1024)
		for _, name := range []string{"time", "level", "msg", "request_id"} {
			require.NotEmpty(t, line[name], "%s of %s", name, text)
		}
	}
}

func TestServerIsAliveWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, "/readyz", "").Status)
	down := desk.New(t, desk.Options{DatabaseURL: s.DatabaseURL})
	down.Store.Close()
	r := down.Do(t, http.MethodGet, "/livez", "")
	require.Equal(t, http.StatusOK, r.Status)
	require.JSONEq(t, `{"status":"ok"}`, string(r.Body))
	r = down.Do(t, http.MethodGet, "/readyz", "")
	problem := requireRefused(t, r, http.StatusServiceUnavailable, client.ProblemCodeDBUnavailable)
	require.True(t, problem.Retryable)
	require.NotEmpty(t, r.Header.Get("Retry-After"))
}

func TestServerIsNotReadyWithAnUnknownSchema(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"broken off":  "UPDATE schema_migrations SET dirty = true",
		"older":       "UPDATE schema_migrations SET version = 1",
		"unversioned": "DELETE FROM schema_migrations",
		"missing":     "DROP TABLE schema_migrations",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := storetest.NewURL(t)
			storetest.Exec(t, url, sql)
			s := desk.New(t, desk.Options{DatabaseURL: url})
			r := s.Do(t, http.MethodGet, "/readyz", "")
			requireRefused(t, r, http.StatusServiceUnavailable, client.ProblemCodeSchemaDirty)
			require.NotEmpty(t, r.Header.Get("Retry-After"))
			require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, "/livez", "").Status)
		})
	}
}

func TestDrainingServerIsNotReadyButStillAnswers(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, "/readyz", "").Status)
	s.API.Drain()
	r := s.Do(t, http.MethodGet, "/readyz", "")
	requireRefused(t, r, http.StatusServiceUnavailable, client.ProblemCodeDraining)
	require.NotEmpty(t, r.Header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, "/livez", "").Status)
	s.Customer(t).NewTicket(t)
}

func TestParallelProbesShareOneQuery(t *testing.T) {
	t.Parallel()
	asked := 0 // Only one probe at a time queries, so no lock is needed.
	api, _ := bare(t, func(context.Context) error {
		asked++
		return nil
	})
	var probes []func()
	for range 50 {
		probes = append(probes, func() {
			recorder := httptest.NewRecorder()
			api.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", http.NoBody))
		})
	}
	race(probes...)
	require.LessOrEqual(t, asked, 2)
	require.Positive(t, asked)
}
