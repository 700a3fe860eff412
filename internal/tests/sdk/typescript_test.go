package sdktest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	sdktest "github.com/supportbackend/support/internal/tests/sdk"
	"github.com/supportbackend/support/internal/tests/sdk/npmtest"
)

const typeScript = "../../../gen/typescript"

func TestTypeScriptUnits(t *testing.T) {
	t.Parallel()
	npmtest.RunUnitTests(t, typeScript, "../../sdk/typescript/test")
}

// TestTypeScriptSDKKeepsToTheSuite runs every fixture with the packed SDK, in Node and in a browser.
func TestTypeScriptSDKKeepsToTheSuite(t *testing.T) {
	t.Parallel()
	project := npmtest.Install(t, typeScript)
	fixtures := loadUnhurried(t)

	t.Run("Node", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(sdktest.NewServer(fixtures))
		defer server.Close()
		requireTranscripts(t, fixtures, project.Node(t, nil, "main.js", "suite.js", `["`+server.URL+`"]`))
	})
	t.Run("browser", func(t *testing.T) {
		t.Parallel()
		browser := project.NewBrowser(t)
		server := httptest.NewServer(allowCrossOrigin(sdktest.NewServer(fixtures)))
		defer server.Close()
		site := strings.Replace(server.URL, "127.0.0.1", "*.localhost", 1)
		requireTranscripts(t, fixtures, browser.Run(t, "suite.js", `["`+server.URL+`","`+site+`"]`))
	})
}

// loadUnhurried returns the fixtures with a moment before each cut: when a connection breaks, fetch drops what has come and was
// not read yet, so that a script could see fewer events before the cut, and more after it.
func loadUnhurried(t *testing.T) []sdktest.Fixture {
	t.Helper()
	fixtures, err := sdktest.Load()
	require.NoError(t, err)
	for _, fixture := range fixtures {
		for i := range fixture.Exchanges {
			response := &fixture.Exchanges[i].Response
			if response.Cut {
				response.PauseMS = max(response.PauseMS, 200)
			}
		}
	}
	return fixtures
}

func requireTranscripts(t *testing.T, fixtures []sdktest.Fixture, output string) {
	t.Helper()
	var results []struct {
		Name, Faults string
		Transcripts  [][]any
		Tokens       []any
	}
	require.NoError(t, json.Unmarshal([]byte(output), &results))
	require.Len(t, results, len(fixtures))
	for i, fixture := range fixtures {
		t.Run(fixture.Name, func(t *testing.T) {
			result := results[i]
			require.Equal(t, fixture.Name, result.Name)
			require.Empty(t, result.Faults)
			require.Len(t, result.Transcripts, max(fixture.Call.Parallel, 1))
			for _, transcript := range result.Transcripts {
				requireSame(t, fixture.Transcript, transcript)
			}
			requireSame(t, fixture.Tokens, result.Tokens)
		})
	}
}

// allowCrossOrigin lets pages from anywhere call the server, with the headers that the product allows and exposes.
func allowCrossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Expose-Headers", "ETag, Link, Retry-After, X-Request-Id")
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close") // As the Player does, and for the same reason.
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
		w.Header().Set("Access-Control-Allow-Headers",
			"Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID")
		w.WriteHeader(http.StatusNoContent)
	})
}

// TestTypeScriptExamplesDoWhatTheySay runs the examples of the README.
func TestTypeScriptExamplesDoWhatTheySay(t *testing.T) {
	t.Parallel()
	project := npmtest.Install(t, typeScript)
	fixtures, err := sdktest.Load()
	require.NoError(t, err)
	byName := map[string]sdktest.Fixture{}
	for _, fixture := range fixtures {
		byName[fixture.Name] = fixture
	}
	const ticket = "0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d"
	for _, example := range []struct{ name, fixture, output string }{
		{"exampleCreateSupport", "log-in", ""},
		{"exampleCreateTicket", "create", ticket + "22 open\n"},
		{
			"exampleStreamAIResponse", "stream-reset",
			"Thank me … from the beginning:\nThank you.\nstored as 0199d3c6-4f31-7e44-9a10-0c1b2a394857\n",
		},
		{"exampleAskAI", "ask", "Thank you.\n"},
		{
			"exampleListTickets", "pages",
			ticket + "01 Invoice 4711 is wrong\n" + ticket + "02 Invoice 4711 is wrong\n" + ticket + "03 Invoice 4711 is wrong\n" +
				ticket + "04 Invoice 4711 is wrong\n" + ticket + "05 Invoice 4711 is wrong\n",
		},
		{
			"exampleProblem", "create-rejected",
			"422 validation_failed 0199d3c6-5a00-7000-8000-000000000001\n/title too_long\n",
		},
		{"examplePlainClient", "pages", "200 2 undefined\n"},
		{"exampleIfMatch", "change-if-unchanged", "somebody was faster\n"},
	} {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(sdktest.NewPlayer(byName[example.fixture]))
			defer server.Close()
			env := []string{"SUPPORT_BASE_URL=" + server.URL, "SUPPORT_TOKEN=" + byName[example.fixture].Client.Token}
			output := project.Node(t, env, "--input-type=module", "--eval",
				"import * as examples from './examples.js'; await examples."+example.name+"()")
			require.Equal(t, example.output, output)
		})
	}
}
