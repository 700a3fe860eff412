package groqsim

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fixture is a simulator behind a real server, with its own client.
type fixture struct {
	t      *testing.T
	sim    *Simulator
	url    string
	client *http.Client
}

func newFixture(t *testing.T, o Options, scripts ...Script) *fixture {
	t.Helper()
	sim := New(o)
	server := httptest.NewServer(sim)
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		sim.Close()
		server.Close()
	})
	require.NoError(t, sim.Enqueue(scripts...))
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &fixture{t: t, sim: sim, url: server.URL, client: client}
}

func (b *fixture) do(ctx context.Context, method, path, body string) (*http.Response, error) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, strings.NewReader(body))
	require.NoError(b.t, err)
	req.Header.Set("Authorization", "Bearer gsk_Secret")
	return b.client.Do(req)
}

func (b *fixture) post(path, body string) (*http.Response, string) {
	b.t.Helper()
	resp, err := b.do(b.t.Context(), http.MethodPost, path, body)
	require.NoError(b.t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return resp, string(text)
}

func (b *fixture) chat(body string) (*http.Response, string) {
	b.t.Helper()
	return b.post("/openai/v1/chat/completions", body)
}

// wait waits until the last recorded request satisfies done.
func (b *fixture) wait(done func(RequestRecord) bool) RequestRecord {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	var last RequestRecord
	require.NoError(b.t, b.sim.Wait(ctx, func(records []RequestRecord) bool {
		if len(records) == 0 {
			return false
		}
		last = records[len(records)-1]
		return done(last)
	}))
	return last
}

func (b *fixture) ended() RequestRecord {
	b.t.Helper()
	return b.wait(func(r RequestRecord) bool { return r.End != EndRunning })
}

const (
	hello = `{"model":"openai/gpt-oss-120b","stream":true,"stream_options":{"include_usage":true},` +
		`"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"My <b>invoice</b> is wrong, please help me quickly"}]}`
	plain = `{"model":"llama","messages":[{"role":"user","content":"hi"}]}`
)

// frames returns the data of the events in a body.
func frames(t *testing.T, body string) []string {
	t.Helper()
	var data []string
	for frame := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		value, ok := strings.CutPrefix(frame, "data: ")
		require.True(t, ok, frame)
		data = append(data, value)
	}
	return data
}

func TestStreamHasTheRecordedShape(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{Text: "Hello <you>", Seed: 7, Reasoning: 2})
	resp, body := b.chat(hello)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	require.Equal(t, "fra", resp.Header.Get("X-Groq-Region"))
	_, err := time.ParseDuration(resp.Header.Get("X-Ratelimit-Reset-Tokens"))
	require.NoError(t, err)

	data := frames(t, body)
	require.Len(t, data, 1+2+5+1+1+1, "role, reasoning, tokens, finish, usage, done")
	require.Contains(t, data[0], `"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"x_groq":{"id":"req_01`)
	require.Contains(t, data[0], `"seed":7}`)
	require.Contains(t, data[1], `"delta":{"reasoning":"The","channel":"analysis"}`)
	require.Contains(t, data[3], `"delta":{"content":"Hello"}`)
	require.Contains(t, data[5], `"delta":{"content":"<"}`)
	require.Contains(t, data[8], `"delta":{},"logprobs":null,"finish_reason":"stop"}],"x_groq":{"id":"req_01`)
	require.Contains(t, data[8], `"completion_tokens_details":{"reasoning_tokens":2}}},"usage":{"queue_time":`)
	require.Contains(t, data[9], `"choices":[],"usage":{`)
	require.Contains(t, data[9], `"service_tier":"on_demand"`)
	require.NotContains(t, data[9], "x_groq")
	require.Equal(t, "[DONE]", data[10])

	var first, last chunk
	require.NoError(t, json.Unmarshal([]byte(data[0]), &first))
	require.NoError(t, json.Unmarshal([]byte(data[9]), &last))
	require.NotEqual(t, first.Created, last.Created, "created changes within a stream")
	require.Equal(t, 7, last.Usage.CompletionTokens)
	require.Equal(t, last.Usage.PromptTokens+7, last.Usage.TotalTokens)
}

func TestUsageAsRequested(t *testing.T) {
	t.Parallel()
	without := strings.Replace(hello, `"stream_options":{"include_usage":true},`, "", 1)
	b := newFixture(t, Options{})
	_, body := b.chat(without)
	require.Equal(t, 2, strings.Count(body, `"usage":`), "twice, both in the final chunk")
	require.NoError(t, b.sim.Enqueue(Script{NoUsage: true, NoDone: true}))
	_, body = b.chat(hello)
	require.NotContains(t, body, `"usage":`)
	require.NotContains(t, body, "[DONE]")
}

func TestDefaultAnswerIsAboutTheSubject(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{})
	request := strings.Replace(hello, `"stream":true,`, "", 1)
	_, body := b.chat(request)
	_, again := b.chat(request)
	var got, same struct {
		Choices []struct {
			Message struct{ Content, Reasoning string }
		}
		Usage usage
	}
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.NoError(t, json.Unmarshal([]byte(again), &same))
	text := got.Choices[0].Message.Content
	require.Equal(t, text, same.Choices[0].Message.Content, "deterministic")
	require.Contains(t, text, `"My b invoice b is wrong"`)
	require.NotEmpty(t, got.Choices[0].Message.Reasoning)
	require.Positive(t, got.Usage.TotalTokens)
	words := len(strings.Fields(text))
	require.True(t, words >= 60 && words <= 120, "%d words", words)
}

func TestReasoningIsHiddenOnRequest(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{})
	_, body := b.chat(strings.Replace(hello, `{"model"`, `{"include_reasoning":false,"model"`, 1))
	require.NotContains(t, body, `"reasoning":`)
	require.Contains(t, body, `"reasoning_tokens":12`, "hidden reasoning still counts as usage")
	_, body = b.chat(strings.Replace(hello, `{"model"`, `{"max_completion_tokens":1,"model"`, 1))
	require.NotContains(t, body, `"delta":{"content"`)
	require.Contains(t, body, `"finish_reason":"length"`)
}

func TestRefusesWhatGroqRefuses(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{APIKey: "gsk_Secret", Models: []string{"llama"}})
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"no JSON":              {`{`, 400, ""},
		"no model":             {`{"messages":[{"role":"user","content":"hi"}]}`, 400, ""},
		"no messages":          {`{"model":"llama"}`, 400, ""},
		"unknown role":         {`{"model":"llama","messages":[{"role":"boss","content":"hi"}]}`, 400, ""},
		"two answers":          {strings.Replace(plain, `{`, `{"n":2,`, 1), 400, ""},
		"logprobs":             {strings.Replace(plain, `{`, `{"logprobs":true,`, 1), 400, ""},
		"no budget":            {strings.Replace(plain, `{`, `{"max_completion_tokens":0,`, 1), 400, ""},
		"hot":                  {strings.Replace(plain, `{`, `{"temperature":3,`, 1), 400, ""},
		"five stops":           {strings.Replace(plain, `{`, `{"stop":["1","2","3","4","5"],`, 1), 400, ""},
		"two kinds of hiding":  {strings.Replace(plain, `{`, `{"include_reasoning":false,"reasoning_format":"raw",`, 1), 400, ""},
		"unknown model":        {strings.Replace(plain, "llama", "gpt-2", 1), 404, "model_not_found"},
		"content in parts":     {strings.Replace(plain, `"hi"`, `[{"type":"text","text":"hi"}]`, 1), 200, ""},
		"everything in order":  {plain, 200, ""},
		"one answer asked for": {strings.Replace(plain, `{`, `{"n":1,`, 1), 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, err := b.do(t.Context(), http.MethodPost, "/v1/chat/completions", c.body)
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			require.Equal(t, c.status, resp.StatusCode)
			if c.status != http.StatusOK {
				var e errorBody
				require.NoError(t, json.NewDecoder(resp.Body).Decode(&e))
				require.Equal(t, "invalid_request_error", e.Error.Type)
				require.Equal(t, c.code, e.Error.Code)
			}
		})
	}
}

func TestChecksTheKey(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{APIKey: "another"})
	resp, body := b.chat(plain)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.JSONEq(t, `{"error":{"message":"Invalid API Key","type":"invalid_request_error","code":"invalid_api_key"}}`, body)
	resp, err := b.do(t.Context(), http.MethodGet, "/openai/v1/models", "")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
}

func TestModelsAreListed(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{Models: []string{"a/b"}})
	resp, err := b.do(t.Context(), http.MethodGet, "/openai/v1/models", "")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), `"id":"a/b"`)
}

func TestScriptedErrors(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		400: "not accepted", 401: "invalid_api_key", 403: "permissions_error", 404: "model_not_found", 413: "Requested 11387",
		429: "Please try again in 3s.", 498: "capacity_exceeded", 500: "internal_server_error", 503: "internal_server_error",
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, Options{}, Script{Status: status, RetryAfter: "3"})
			resp, body := b.chat(hello)
			require.Equal(t, status, resp.StatusCode)
			require.Equal(t, "3", resp.Header.Get("Retry-After"))
			require.Contains(t, body, want)
			require.Equal(t, EndError, b.ended().End)
		})
	}
}

func TestRateLimitBodyWithoutHeader(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{Status: 429, ResetTokens: "-"}, Script{Status: 429, TryAgainIn: "-", ResetTokens: "2s"})
	resp, body := b.chat(hello)
	require.Contains(t, body, "Please try again in 9m38.016s.")
	require.Empty(t, resp.Header.Values("Retry-After"))
	require.Empty(t, resp.Header.Values("X-Ratelimit-Reset-Tokens"))
	resp, body = b.chat(hello)
	require.NotContains(t, body, "try again in")
	require.Equal(t, "2s", resp.Header.Get("X-Ratelimit-Reset-Tokens"))
}

func TestTooManyTokensPerMinute(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{TokensPerMinute: 10})
	resp, body := b.chat(hello)
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	require.Equal(t, "64", resp.Header.Get("Retry-After"))
	require.Contains(t, body, "Limit 10,")
	require.Contains(t, body, "rate_limit_exceeded")
}

func TestScriptsAreUsedInOrderByMatch(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{Default: Script{Text: "default"}},
		Script{Match: "refund", Text: "matched"}, Script{Text: "first", Times: 2}, Script{Text: "second"})
	ask := func(message string) string {
		_, body := b.chat(strings.Replace(plain, "hi", message, 1))
		return body
	}
	require.Contains(t, ask("hi"), `"first"`)
	require.Contains(t, ask("a refund"), `"matched"`)
	require.Contains(t, ask("a refund"), `"first"`)
	require.Contains(t, ask("hi"), `"second"`)
	require.Contains(t, ask("hi"), `"default"`)
	require.NoError(t, b.sim.Enqueue(Script{Text: "always", Times: -1}))
	require.Contains(t, ask("hi"), `"always"`)
	require.Contains(t, ask("hi"), `"always"`)
	require.False(t, b.sim.Requests()[4].Queued)
	b.sim.Reset()
	require.Contains(t, ask("hi"), `"default"`)
}

func TestRecordedRequestHasNoKey(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{Text: "one two"})
	b.chat(hello)
	record := b.ended()
	require.Equal(t, EndCompleted, record.End)
	require.Equal(t, 2, record.TokensSent)
	require.Equal(t, http.StatusOK, record.Status)
	require.Equal(t, "system", record.Chat.Messages[0].Role)
	require.JSONEq(t, hello, string(record.Body))
	require.False(t, record.FinishedAt.Before(record.StartedAt))

	resp, err := b.do(t.Context(), http.MethodGet, "/__sim/requests", "")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NotContains(t, string(text), "gsk_Secret")
	require.Contains(t, string(text), `"Authorization":["[redacted]"]`)
	resp, err = b.do(t.Context(), http.MethodDelete, "/__sim/requests", "")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Empty(t, b.sim.Requests())
}

func TestNumberOfRecordedRequestsIsBounded(t *testing.T) {
	t.Parallel()
	var r recorder
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	for range maxRecords + 5 {
		r.begin(request, nil)
	}
	records := r.snapshot()
	require.Len(t, records, maxRecords)
	require.Equal(t, maxRecords+5, records[maxRecords-1].ID)
	big := []byte(`"` + strings.Repeat("x", 20<<20) + `"`)
	r.begin(request, big)
	r.begin(request, big)
	require.Len(t, r.snapshot(), 1)
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, New(Options{}).Wait(ctx, func([]RequestRecord) bool { return false }), context.Canceled)
}

func TestQueueIsBoundedAndChecked(t *testing.T) {
	t.Parallel()
	sim := New(Options{})
	require.Error(t, sim.Enqueue(Script{Status: 200}))
	require.Error(t, sim.Enqueue(Script{ErrorForm: "loud"}))
	require.Error(t, sim.Enqueue(Script{Times: -2}))
	require.Error(t, sim.Enqueue(Script{Status: 500, Redirect: "http://x"}))
	require.Error(t, sim.Enqueue(Script{SplitWrites: -1}))
	require.ErrorIs(t, sim.Enqueue(make([]Script, maxQueue+1)...), ErrQueueFull)
	require.Empty(t, sim.queue)
}
