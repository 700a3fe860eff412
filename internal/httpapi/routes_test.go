package httpapi

import (
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/httpapi/contract"
)

// docsRoutes matches the only routes outside the contract: the documentation's pages and files.
var docsRoutes = regexp.MustCompile(
	`^/(|docs|redoc|(guides|rules)(/[a-z]+(-[a-z]+)*)?|problems(/[a-z]+(_[a-z]+)*)?|openapi\.json|openapi\.yaml|docs/assets/[a-z.-]+\.[0-9a-f]{12}\.(css|js|svg|txt))$`)

// newBareServer returns a server without services, to inspect its routes.
func newBareServer(t *testing.T, docs bool) *Server {
	t.Helper()
	s, err := New(Options{
		Secret: []byte("a secret that only tests know, 32 bytes and more"), Docs: docs, Metrics: metrics.NewSet(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return s
}

func TestEveryRouteIsInTheContractOrTheDocumentation(t *testing.T) {
	t.Parallel()
	registered := make(map[string]bool)
	docs := 0
	for _, route := range newBareServer(t, true).echo.Routes() {
		if docsRoutes.MatchString(route.Path) {
			require.Contains(t, []string{http.MethodGet, http.MethodHead}, route.Method, route.Path)
			docs++
			continue
		}
		registered[route.Method+" "+route.Path] = true
	}
	require.Greater(t, docs, 8)

	doc, err := contract.Read(api.SpecJSON)
	require.NoError(t, err)
	inContract := make(map[string]bool)
	for path, item := range doc.Paths.Map() {
		path = strings.NewReplacer("{", ":", "}", "").Replace(path)
		for method, op := range item.Operations() {
			inContract[method+" "+path] = true
			// A stream has no HEAD.
			success := op.Responses.Status(http.StatusOK)
			streams := success != nil && (success.Value.Content["text/event-stream"] != nil || success.Value.Content["application/x-ndjson"] != nil)
			if method == http.MethodGet && !streams {
				inContract[http.MethodHead+" "+path] = true
			}
		}
	}
	require.Equal(t, inContract, registered)
}

func TestWithoutDocumentationOnlyTheContractIsServed(t *testing.T) {
	t.Parallel()
	for _, route := range newBareServer(t, false).echo.Routes() {
		require.NotRegexp(t, docsRoutes, route.Path)
	}
}
