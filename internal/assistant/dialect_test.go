package assistant_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/testing/storetest"
	"github.com/supportbackend/support/internal/ticket"
)

// chunks returns the events of a stream, one per write, with [DONE] at the end.
func chunks(events ...string) [][]byte {
	var raw [][]byte
	for _, event := range append(events, "[DONE]") {
		raw = append(raw, []byte("data: "+event+"\n\n"))
	}
	return raw
}

func content(text string) string { return field("content", text) }

func field(name, text string) string {
	literal, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return `{"choices":[{"index":0,"delta":{"` + name + `":` + string(literal) + `},"finish_reason":null}]}`
}

func finished(reason string) string {
	return `{"choices":[{"index":0,"delta":{},"finish_reason":"` + reason + `"}]}`
}

// A behaviour is one response of a server, and the result of it.
type behaviour struct {
	script groqsim.Script
	// want is the answer; code is the failure otherwise.
	want string
	code apperr.Code
}

// tooLong returns a script that accepts only the newest message, and otherwise refuses with the server's error.
func tooLong(status int, body string) groqsim.Script {
	return groqsim.Script{Text: "Hello", ContextTokens: 420, Status: status, ErrorBody: body, Times: -1}
}

// dialects are known servers, with the path of their URLs and their behaviours.
var dialects = map[string]struct {
	path       string
	model      string
	behaviours map[string]behaviour
}{
	"Groq": {"", "openai/gpt-oss-120b", map[string]behaviour{
		"reasoning field":         {script: groqsim.Script{Reasoning: 5, Text: "Hello"}, want: "Hello"},
		"too large":               {script: tooLong(413, ""), want: "Hello"},
		"tool use failed":         {script: groqsim.Script{Status: 400, ErrorCode: "tool_use_failed"}, want: "Hello"},
		"tool use in the stream":  {script: groqsim.Script{ErrorAfter: new(0)}, want: "Hello"},
		"all tokens on reasoning": {script: groqsim.Script{EmptyContent: true}, want: "Hello"},
		"never an answer":         {script: groqsim.Script{EmptyContent: true, Times: 2}, code: apperr.AINoAnswer},
		"inline reasoning":        {script: groqsim.Script{Text: "<think>secret</think>Hello"}, want: "Hello"},
	}},
	"OpenAI": {"/v1", "gpt-5", map[string]behaviour{
		"usage in a chunk of its own": {script: groqsim.Script{RawChunks: chunks(content("Hello"), finished("stop"), `{"choices":[],"usage":{"total_tokens":3}}`)}, want: "Hello"},
		"filter":                      {script: groqsim.Script{RawChunks: chunks(finished("content_filter"))}, code: apperr.ConversationNotAccepted},
		"too long":                    {script: tooLong(400, `{"error":{"message":"Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 477469 tokens. Please reduce the length of the messages.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`), want: "Hello"},
		"unsupported parameter":       {script: groqsim.Script{Refuses: []string{"stream_options"}, Text: "Hello", Times: -1}, want: "Hello"},
		"unsupported value":           {script: groqsim.Script{Status: 400, ErrorBody: `{"error":{"message":"Unsupported value: 'temperature' does not support 2 with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}`}, code: apperr.AIMisconfigured},
	}},
	"Ollama": {"/v1", "qwen3:8b", map[string]behaviour{
		"reasoning field": {script: groqsim.Script{RawChunks: chunks(field("reasoning", "secret"), content("Hello"), finished("stop"))}, want: "Hello"},
		"thinking field":  {script: groqsim.Script{RawChunks: chunks(field("thinking", "secret"), content("Hello"), finished("stop"))}, want: "Hello"},
		"think tags":      {script: groqsim.Script{Deltas: []string{" <th", "ink>sec", "ret</", "think>\n\nHel", "lo"}}, want: "Hello"},
		"no system role":  {script: groqsim.Script{Status: 400, ErrorBody: `{"error":{"message":"System role not supported","type":"api_error"}}`}, code: apperr.AIMisconfigured},
		"no model":        {script: groqsim.Script{Status: 404, ErrorBody: `{"error":{"message":"model 'qwen3:8b' not found","type":"not_found_error","param":null,"code":null}}`}, code: apperr.AIMisconfigured},
		"slow to load":    {script: groqsim.Script{HeaderDelay: groqsim.Duration(20 * time.Millisecond), Text: "Hello"}, want: "Hello"},
	}},
	"vLLM": {"/v1", "Qwen/Qwen3-8B", map[string]behaviour{
		"reasoning content":      {script: groqsim.Script{RawChunks: chunks(field("reasoning_content", "secret"), content("Hello"), finished("stop"))}, want: "Hello"},
		"closing tag only":       {script: groqsim.Script{Deltas: []string{"secret", "\n</th", "ink>", "\n\nHello"}}, want: "Hello"},
		"cut while thinking":     {script: groqsim.Script{Text: "<think>secret", FinishReason: "length", Times: 2}, code: apperr.AINoAnswer},
		"turns":                  {script: groqsim.Script{Alternates: true, Text: "Hello"}, want: "Hello"},
		"too long":               {script: tooLong(400, `{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 9000 tokens (7976 in the messages, 1024 in the completion). Please reduce the length of the messages or completion.","type":"BadRequestError","param":null,"code":400}`), want: "Hello"},
		"too long for an answer": {script: tooLong(400, `{"object":"error","message":"max_tokens must be at least 1, got -186.","type":"BadRequestError","param":null,"code":400}`), want: "Hello"},
		"aborted":                {script: groqsim.Script{RawChunks: chunks(content("Half"), finished("abort"))}, code: apperr.AIProtocol},
		"strict":                 {script: groqsim.Script{Refuses: []string{"include_reasoning", "max_completion_tokens", "stream_options"}, Text: "Hello", Times: -1}, want: "Hello"},
	}},
	"llama.cpp": {"/v1", "gpt-oss-20b", map[string]behaviour{
		"harmony":  {script: groqsim.Script{Text: "<|channel|>analysis<|message|>secret<|end|><|start|>assistant<|channel|>final<|message|>Hello"}, want: "Hello"},
		"too long": {script: tooLong(400, `{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":14429,"n_ctx":8192}}`), want: "Hello"},
		"as 500":   {script: tooLong(500, `{"error":{"code":500,"message":"the request exceeds the available context size. try increasing the context size or enable context shift","type":"exceed_context_size_error"}}`), want: "Hello"},
		"loading":  {script: groqsim.Script{Status: 503, ErrorBody: `{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}`}, want: "Hello"},
	}},
	"LM Studio": {"/v1", "qwen3-coder-30b", map[string]behaviour{
		"too long in the stream": {
			script: groqsim.Script{RawChunks: [][]byte{[]byte("event: error\ndata: {\"error\":{\"message\":\"Trying to keep the first 14538 tokens when context the overflows. However, the model is loaded with context length of only 2048 tokens, which is not enough.\"}}\n\n")}},
			want:   "Hello",
		},
		"error as a string": {script: groqsim.Script{Status: 400, ErrorBody: `{"error":"No models loaded. Please load a model in the developer page."}`}, code: apperr.AIMisconfigured},
		"nothing at all":    {script: groqsim.Script{RawChunks: chunks(finished("stop"))}, want: "Hello"},
		"JSON with 200":     {script: groqsim.Script{RawChunks: chunks(`{"error":"Context size has been exceeded."}`)}, want: "Hello"},
	}},
	"DeepSeek": {"/v1", "deepseek-reasoner", map[string]behaviour{
		"reasoning finishes first": {
			script: groqsim.Script{RawChunks: chunks(field("reasoning_content", "secret"), finished("stop"), content("Hello"), finished("stop"))}, want: "Hello",
		},
		"too long":     {script: tooLong(400, `{"error":{"message":"This model's maximum context length is 65536 tokens. However, you requested 66343 tokens (62247 in the messages, 4096 in the completion).","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}`), want: "Hello"},
		"no resources": {script: groqsim.Script{RawChunks: chunks(finished("insufficient_system_resource"))}, want: "Hello"},
		"no credit":    {script: groqsim.Script{Status: 402, ErrorBody: `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`}, code: apperr.AIMisconfigured},
	}},
}

func TestAnyOpenAICompatibleServer(t *testing.T) {
	t.Parallel()
	for name, server := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			tickets := ticket.NewService(b.store, ticket.Options{AIMode: sqlc.AIModeAuto})
			for name, c := range server.behaviours {
				// Each server has a new client, which knows nothing about the model yet.
				client, err := groq.New(groq.Options{BaseURL: b.upstream + server.path, APIKey: "k", Limits: assistant.DefaultLimits()})
				require.NoError(t, err)
				o := assistant.DefaultOptions(client, io.Discard)
				o.Models = []string{server.model}
				service := assistant.NewService(b.store, o)
				stop := run(t, service)
				b.simulator.Reset()
				require.NoError(t, b.simulator.Enqueue(c.script, groqsim.Script{Text: "Hello", Times: -1}))
				asked, err := tickets.Create(t.Context(), b.customer, "title", strings.Repeat("description ", 50))
				require.NoError(t, err)
				_, err = tickets.AddMessage(t.Context(), b.customer, asked.ID, "my question")
				require.NoError(t, err)

				text, code := ask(t, b, service, asked)
				require.Equal(t, c.code, code, name)
				if code == "" {
					require.Equal(t, c.want, text, name)
				}
				service.Drain(t.Context())
				stop()
			}
			require.Zero(t, storetest.QueryInt(t, b.url, "SELECT count(*) FROM ai_response_events WHERE content LIKE '%secret%'"))
			require.Zero(t, storetest.QueryInt(t, b.url, "SELECT count(*) FROM messages WHERE content LIKE '%secret%'"))
		})
	}
}

// ask returns the answer to a ticket, or the error that prevented it.
func ask(t *testing.T, b *fixture, service *assistant.Service, asked sqlc.Ticket) (text string, code apperr.Code) {
	t.Helper()
	reader, err := service.Open(t.Context(), b.customer, asked.ID, eventlog.EventID{})
	if err != nil {
		return "", apperr.From(err).Code
	}
	for _, event := range readAll(t, reader) {
		switch e := event.(type) {
		case eventlog.Delta:
			text += e.Content
		case eventlog.Failed:
			code = e.Err.Code
		}
	}
	return text, code
}

func TestServerFaultIsLogged(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no key \x1b[31mtop-secret-key\nhere", http.StatusNotFound)
	}))
	defer server.Close()
	for url, want := range map[string][]string{
		server.URL + "/v1":      {"host=" + strings.TrimPrefix(server.URL, "http://"), "model=m", "status=404", "kind=misconfigured", `detail="no key [31m[key] here"`},
		"http://127.0.0.1:1/v1": {"host=127.0.0.1:1", "code=connection_refused", "connect: connection refused"},
	} {
		limits := assistant.DefaultLimits()
		limits.Retries = 0
		client, err := groq.New(groq.Options{BaseURL: url, APIKey: "top-secret-key", Limits: limits})
		require.NoError(t, err)
		log := &syncBuffer{}
		o := assistant.DefaultOptions(client, log)
		o.Models = []string{"m"}
		service := assistant.NewService(b.store, o)
		run(t, service)
		about, err := ticket.NewService(b.store, ticket.Options{AIMode: sqlc.AIModeAuto}).Create(t.Context(), b.customer, "title", "description")
		require.NoError(t, err)
		_, code := ask(t, b, service, about)
		require.NotEmpty(t, code)
		service.Drain(t.Context())
		for _, words := range want {
			require.Contains(t, log.String(), words)
		}
		require.NotContains(t, log.String(), "top-secret-key")
	}
}

func TestReplicasReturnTheSameRetryAfter(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.simulator.Enqueue(groqsim.Script{
		Gates: []groqsim.Gate{{Name: "start", After: -1}}, Status: 429, RetryAfter: "7200",
	}))
	other := b.another(t)
	response, _, err := b.service.Start(t.Context(), b.customer, b.ticket.ID, assistant.Request{})
	require.NoError(t, err)
	reader, err := other.OpenResponse(t.Context(), b.customer, response.ID, eventlog.EventID{})
	require.NoError(t, err)
	b.simulator.Release("start")
	events := readAll(t, reader)
	failed, ok := events[len(events)-1].(eventlog.Failed)
	require.True(t, ok)
	require.Equal(t, apperr.AIOverloaded, failed.Err.Code)
	require.Equal(t, 2*time.Hour, failed.Err.RetryAfter)
}
