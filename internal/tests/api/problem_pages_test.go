package api_test

import (
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/testing/contracttest"
	"github.com/supportbackend/support/internal/testing/desk"
)

// TestTypeOfEveryProblemLeadsToItsPage also checks that the contract has a text for every code.
func TestTypeOfEveryProblemLeadsToItsPage(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	list := s.Do(t, http.MethodGet, "/problems", "")
	require.Equal(t, http.StatusOK, list.Status)
	codes := contracttest.Spec(t).Components.Schemas["ProblemCode"].Value.Enum
	require.NotEmpty(t, codes)
	for _, code := range codes {
		require.Contains(t, string(list.Body), fmt.Sprintf(`<a href="problems/%s">`, code))
		page := s.Do(t, http.MethodGet, fmt.Sprintf("/problems/%s", code), "")
		require.Equal(t, http.StatusOK, page.Status, code)
		require.Equal(t, "text/html; charset=utf-8", page.Header.Get("Content-Type"))
		require.Contains(t, string(page.Body), fmt.Sprintf("<code>%s</code>", code))
		require.Contains(t, page.Header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'self'")
		require.NotContains(t, page.Header.Get("Content-Security-Policy"), "script-src")
	}

	problem := s.Do(t, http.MethodGet, "/problems/nothing", "").
		RequireProblem(t, http.StatusNotFound, client.ProblemCodeNotFound)
	page := s.Do(t, http.MethodGet, problem.Type, "")
	require.Equal(t, http.StatusOK, page.Status)
	require.Contains(t, html.UnescapeString(string(page.Body)), "<h1>"+problem.Title+"</h1>")
	require.Contains(t, string(page.Body), "404 Not Found")
}

func TestProblemPagesAreOffWithTheDocumentation(t *testing.T) {
	t.Parallel()
	s, err := httpapi.New(httpapi.Options{Secret: []byte(desk.Secret), Metrics: metrics.NewSet(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	for _, path := range []string{"/problems", "/problems/not_found"} {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		require.Equal(t, http.StatusNotFound, rec.Code)
		var problem plain.Problem
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &problem))
		require.Equal(t, client.ProblemCodeNotFound, problem.Code)
	}
}
