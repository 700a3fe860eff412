package sdktest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdktest "github.com/supportbackend/support/internal/tests/sdk"
)

const (
	waitAtMost = 5 * time.Second
	pollEvery  = 10 * time.Millisecond
)

const script = `{"about": "", "client": {}, "call": {"method": "createTicket"}, "exchanges": [
	{"request": {"method": "POST", "path": "/tickets?a=1&b=2", "headers": {"Idempotency-Key": "$key", "Authorization": null},
	             "body": {"title": "Hello"}, "min_delay_ms": 0},
	 "response": {"status": 201, "headers": {"Retry-After": "1"}, "body": {"ok": true}}},
	{"request": {"method": "POST", "path": "/tickets", "headers": {"Idempotency-Key": "$key"}, "min_delay_ms": 1000},
	 "response": {"drop": true}},
	{"request": {"method": "POST", "path": "/tickets", "headers": {"Idempotency-Key": "$other"}},
	 "response": {"status": 200, "chunks": ["a", {"base64": "w7w="}, {"id": "7", "event": "e", "data": { "x": 1 }}], "cut": true}}],
	"transcript": []}`

func newPlayer(t *testing.T) (player *sdktest.Player, send func(method, path, body string, header ...string) (int, string, error)) {
	t.Helper()
	var fixture sdktest.Fixture
	require.NoError(t, json.Unmarshal([]byte(script), &fixture))
	player = sdktest.NewPlayer(fixture)
	server := httptest.NewServer(player)
	t.Cleanup(server.Close)
	return player, func(method, path, body string, header ...string) (int, string, error) {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		response, err := server.Client().Do(request)
		if err != nil {
			return 0, "", err
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		return response.StatusCode, string(text), err
	}
}

func TestPlayer(t *testing.T) {
	t.Parallel()
	player, send := newPlayer(t)
	require.ErrorContains(t, player.Verify(), "missing")
	status, body, err := send(http.MethodPost, "/tickets?b=2&a=1", `{ "title": "Hello" }`, "Idempotency-Key", "one")
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, status)
	require.JSONEq(t, `{"ok": true}`, body)

	status, _, err = send(http.MethodPost, "/tickets", "", "Idempotency-Key", "one")
	require.NoError(t, err)
	require.Equal(t, http.StatusInternalServerError, status, "the request comes too early")
	require.ErrorContains(t, player.Verify(), "want it after 1s")

	require.Eventually(t, func() bool {
		_, _, err = send(http.MethodPost, "/tickets", "", "Idempotency-Key", "one")
		return err != nil
	}, waitAtMost, pollEvery, "the connection is not dropped")
	status, body, err = send(http.MethodPost, "/tickets", "", "Idempotency-Key", "two")
	require.Equal(t, http.StatusOK, status)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, "aüid: 7\nevent: e\ndata: {\"x\":1}\n\n", body)
	require.NotContains(t, player.Verify().Error(), "missing")
}

func TestPlayerRefusesUnexpectedRequests(t *testing.T) {
	t.Parallel()
	const path, body = "/tickets?a=1&b=2", `{"title":"Hello"}`
	for name, wrong := range map[string][]string{
		"method": {http.MethodPut, path, body, "Idempotency-Key", "one"},
		"path":   {http.MethodPost, "/ticket?a=1&b=2", body, "Idempotency-Key", "one"},
		"query":  {http.MethodPost, path + "&c=3", body, "Idempotency-Key", "one"},
		"body":   {http.MethodPost, path, `{"title":"Bye"}`, "Idempotency-Key", "one"},
		"no key": {http.MethodPost, path, body},
		"token":  {http.MethodPost, path, body, "Idempotency-Key", "one", "Authorization", "Bearer x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			player, send := newPlayer(t)
			status, _, err := send(wrong[0], wrong[1], wrong[2], wrong[3:]...)
			require.NoError(t, err)
			require.Equal(t, http.StatusInternalServerError, status)
			require.ErrorContains(t, player.Verify(), "was not expected")
		})
	}
}

func TestServerSeparatesRuns(t *testing.T) {
	t.Parallel()
	fixtures, err := sdktest.Load()
	require.NoError(t, err)
	server := httptest.NewServer(sdktest.NewServer(fixtures))
	t.Cleanup(server.Close)
	var described []map[string]any
	requireJSON(t, server, http.MethodGet, server.URL+"/fixtures", &described)
	require.Len(t, described, len(fixtures))
	require.NotContains(t, described[0], "exchanges")

	for range 2 {
		var run, report map[string]string
		requireJSON(t, server, http.MethodPost, server.URL+"/fixtures/pages-empty/runs", &run)
		requireJSON(t, server, http.MethodGet, run["report_url"], &report)
		require.Contains(t, report["faults"], "missing")
		var tickets []any
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, run["base_url"]+"/tickets", http.NoBody)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer access-1")
		response, err := server.Client().Do(request)
		require.NoError(t, err)
		require.NoError(t, json.NewDecoder(response.Body).Decode(&tickets))
		require.NoError(t, response.Body.Close())
		requireJSON(t, server, http.MethodGet, run["report_url"], &report)
		require.Empty(t, report["faults"])
	}
}

func requireJSON(t *testing.T, server *httptest.Server, method, url string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	require.NoError(t, err)
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, json.NewDecoder(response.Body).Decode(into))
}
