//go:build node

package sdktest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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

// TestTypeScriptSDK tests the packed SDK. It compiles and installs it once, and compiles the programs that use its types once,
// with the strictest options.
func TestTypeScriptSDK(t *testing.T) {
	t.Parallel()
	project := npmtest.Install(t, typeScript)
	project.Copy(t, "types.mts", "types.cts")
	writeReceiver(t, project)
	writeForwarder(t, project)
	project.Compile(t, "types.mts", "types.cts", "receiver.mts", "forwarder.mts")
	for name, test := range map[string]func(*testing.T, npmtest.Project){
		"types": runsAsEither, "suite": keepsToTheSuite, "examples": doesWhatExamplesSay, "requests of examples": sendsWhatExamplesSay,
		"webhooks": takesDeliveriesAsTheGuideDoes, "forwarder": forwardsAsTheGuideDoes, "journey": takesACustomerThrough,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, project)
		})
	}
}

// runsAsEither runs a program as an ES module and as CommonJS.
func runsAsEither(t *testing.T, project npmtest.Project) {
	t.Helper()
	require.Equal(t, "function\n", project.Node(t, nil, "types.mjs"))
	require.Equal(t, "function\n", project.Node(t, nil, "types.cjs"))
}

// keepsToTheSuite runs every fixture, in Node and in a browser.
func keepsToTheSuite(t *testing.T, project npmtest.Project) {
	t.Helper()
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

// loadUnhurried returns the fixtures with a pause before each cut. When a connection breaks, fetch drops the bytes that
// the script has not read yet, so without the pause a script may see fewer events before the cut and more after it.
func loadUnhurried(t *testing.T) []sdktest.Fixture {
	t.Helper()
	fixtures, err := sdktest.Load()
	require.NoError(t, err)
	for _, fixture := range fixtures {
		for i := range fixture.Exchanges {
			response := &fixture.Exchanges[i].Response
			if response.Cut {
				response.PauseMS = max(response.PauseMS, 600)
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
		w.Header().Set("Connection", "close") // For the same reason as in Player.
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
		w.Header().Set("Access-Control-Allow-Headers",
			"Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID")
		w.WriteHeader(http.StatusNoContent)
	})
}

// doesWhatExamplesSay runs the README's examples against fixtures.
func doesWhatExamplesSay(t *testing.T, project npmtest.Project) {
	t.Helper()
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
		{"exampleAnswerOf", "answer", "Thank you.\n"},
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
		{"exampleIfMatch", "change-if-unchanged", "somebody else changed it first\n"},
	} {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			fixture := byName[example.fixture]
			output := runExample(t, project, sdktest.NewPlayer(fixture), fixture.Client.Token, "await examples."+example.name+"()")
			require.Equal(t, example.output, output)
		})
	}
}

// sendsWhatExamplesSay runs the README's examples that show requests.
func sendsWhatExamplesSay(t *testing.T, project npmtest.Project) {
	t.Helper()
	const path = "/tickets/0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22"
	const done = "id: 0199d3c6:2\nevent: done\ndata: {\"type\":\"done\",\"message\":{\"content\":\"Thank you.\"}}\n\n"
	ticket := `{"id":"0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22","title":"Invoice 4711 is wrong","status":"open"}`
	tokens := `{"access_token":"access-2","refresh_token":"srt_2"}`
	for _, example := range []struct {
		name, output   string
		bodies, wanted []string
	}{
		{
			"await examples.exampleAskAI()", "Thank you.\n",
			[]string{`{"ai_response_id":"0199d3c6"}`, done},
			[]string{"POST " + path + "/messages key", "GET /ai-responses/0199d3c6/stream key"},
		},
		{"await examples.exampleLastEventId()", "0199d3c6:2\n", []string{done}, []string{
			"GET " + path + "/ai-response key after 0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7:1",
		}},
		{"console.log(await (await examples.exampleRelay()).text())", done + "\n", []string{done}, []string{
			"GET " + path + "/ai-response key for customer-4711",
		}},
		{nodeRelay, "200 text/event-stream\n" + done + "\n204 null\n\n", []string{done, ""}, []string{
			"GET " + path + "/ai-response key for customer-4711", "GET " + path + "/ai-response key for customer-4711",
		}},
		{
			"await examples.exampleForCustomer()", "Invoice 4711 is wrong\n",
			[]string{ticket, "[" + ticket + "]"},
			[]string{"POST /tickets key for customer-4711", "GET /tickets key for customer-4711"},
		},
		{
			"await examples.exampleStaff()", "",
			[]string{"[" + ticket + "]", ticket, "{}", ticket},
			[]string{"GET /tickets key", "PATCH " + path + " key", "POST " + path + "/messages key", "PATCH " + path + " key"},
		},
		{
			"globalThis.localStorage = { getItem(n) { return this[n] ?? null }, setItem(n, v) { this[n] = v }, removeItem(n) { delete this[n] } };" +
				"await examples.exampleBrowserSession()",
			"",
			[]string{tokens, ""},
			[]string{"POST /auth/login", "POST /auth/logout access-2"},
		},
	} {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			server := &inTurn{bodies: example.bodies}
			require.Equal(t, example.output, runExample(t, project, server, "key", example.name))
			require.Equal(t, example.wanted, server.requests)
		})
	}
}

// nodeRelay serves exampleRelay with exampleNodeRelay: a whole answer, then one to a browser that has everything.
const nodeRelay = `
	import { createServer } from 'node:http';
	const server = createServer(async (_, res) => examples.exampleNodeRelay(await examples.exampleRelay(), res));
	await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
	for (let i = 0; i < 2; i++) {
		const response = await fetch('http://127.0.0.1:' + server.address().port);
		console.log(response.status, response.headers.get('Content-Type'));
		console.log(await response.text());
	}
	server.close();
	server.closeAllConnections();`

func runExample(t *testing.T, project npmtest.Project, handler http.Handler, token, script string) string {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	env := []string{"SUPPORT_BASE_URL=" + server.URL, "SUPPORT_TOKEN=" + token}
	return project.Node(t, env, "--input-type=module", "--eval", "import * as examples from './examples.js'; "+script)
}

// inTurn answers one request after the other with its bodies, and records the requests.
type inTurn struct {
	mu               sync.Mutex
	bodies, requests []string
}

func (i *inTurn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	request := r.Method + " " + r.URL.Path
	for _, header := range [][2]string{{"Authorization", ""}, {onBehalfOf, "for "}, {"Last-Event-ID", "after "}} {
		if value := r.Header.Get(header[0]); value != "" {
			request += " " + header[1] + strings.TrimPrefix(value, "Bearer ")
		}
	}
	i.requests = append(i.requests, request)
	if len(i.bodies) == 0 {
		http.Error(w, "nothing is left", http.StatusInternalServerError)
		return
	}
	if strings.HasPrefix(i.bodies[0], "id:") {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	if i.bodies[0] == "" {
		w.WriteHeader(http.StatusNoContent)
	}
	_, _ = io.WriteString(w, i.bodies[0])
	i.bodies = i.bodies[1:]
}
