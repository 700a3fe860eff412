package groq

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDialectFollowsTheURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]Dialect{
		"https://api.groq.com":                       DialectGroq,
		"https://api.groq.com/openai/v1":             DialectGroq,
		"http://127.0.0.1:8091":                      DialectGroq,
		"https://gateway.example/groq/openai/v1":     DialectGroq,
		"https://api.openai.com/v1":                  DialectOpenAI,
		"https://eu.openai.azure.com/openai/v1":      DialectOpenAI,
		"http://localhost:11434/v1":                  DialectCompatible,
		"https://api.deepseek.com/v1":                DialectCompatible,
		"https://notgroq.com/v1":                     DialectCompatible,
		"https://llm.example/a/v1/chat/completions":  DialectCompatible,
		"https://groq.com.example/v1":                DialectCompatible,
		"https://API.OPENAI.COM/v1/chat/completions": DialectOpenAI,
	} {
		for _, dialect := range []Dialect{"", DialectAuto} {
			client, err := New(Options{BaseURL: base, Dialect: dialect, Limits: testLimits()})
			require.NoError(t, err)
			require.Equal(t, speeches[want], client.speech, base)
		}
	}
	client, err := New(Options{BaseURL: "http://localhost:1/v1", Dialect: DialectGroq, Limits: testLimits()})
	require.NoError(t, err)
	require.Equal(t, speeches[DialectGroq], client.speech)
	_, err = New(Options{BaseURL: "http://localhost:1/v1", Dialect: "latin", Limits: testLimits()})
	require.Error(t, err)
}

// sent returns the names of the members that a client sends when the model's reasoning should be hidden and reduced.
func sent(t *testing.T, client *Client) []string {
	t.Helper()
	body, fault := client.encode(Request{
		Model: "openai/gpt-oss-120b", Messages: question.Messages, MaxCompletionTokens: 7, LessReasoning: true,
	})
	require.Nil(t, fault)
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &members))
	return slices.Sorted(maps.Keys(members))
}

func TestRequestMembersByDialect(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[Dialect][]string{
		DialectGroq:       {"include_reasoning", "max_completion_tokens", "messages", "model", "reasoning_effort", "stream", "stream_options"},
		DialectOpenAI:     {"max_completion_tokens", "messages", "model", "reasoning_effort", "stream", "stream_options"},
		DialectCompatible: {"max_completion_tokens", "max_tokens", "messages", "model", "reasoning_effort", "stream", "stream_options"},
	} {
		client, err := New(Options{BaseURL: "http://groq.test", Dialect: dialect, Limits: testLimits()})
		require.NoError(t, err)
		require.Equal(t, want, sent(t, client), dialect)
	}
}

func TestRefusedParameterIsNotSentAgain(t *testing.T) {
	t.Parallel()
	refused := func(body string) func(*http.Request) (*http.Response, error) { return respond(400, body) }
	u := &upstream{answers: []func(*http.Request) (*http.Response, error){
		refused(`{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}`),
		refused(`{"error":{"message":"Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.","type":"invalid_request_error"}}`),
		respond(200, say("Hello")+stop+done),
	}}
	client, err := New(Options{BaseURL: "http://other.test/v1", HTTPClient: &http.Client{Transport: u}, Limits: testLimits()})
	require.NoError(t, err)
	text, fault := drain(t, client.Stream(t.Context(), question))
	require.Nil(t, fault)
	require.Equal(t, "Hello", text)
	require.Len(t, u.bodies, 3)
	require.Equal(t, []string{"max_completion_tokens", "messages", "model", "reasoning_effort", "stream"}, sent(t, client))

	u.answers = []func(*http.Request) (*http.Response, error){refused(`{"message":"max_completion_tokens: unknown field"}`)}
	_, fault = drain(t, client.Stream(t.Context(), question))
	require.Equal(t, Misconfigured, fault.Kind, "a second refusal is a misconfiguration")
	require.Equal(t, "max_completion_tokens: unknown field", fault.Message)
}

// For a server without JSON schemas, the client requests plain JSON, and for one without JSON output, text.
func TestResponseFormatFallsBackToWhatTheServerSupports(t *testing.T) {
	t.Parallel()
	refuse := func(words string) func(*http.Request) (*http.Response, error) {
		return respond(400, `{"error":{"message":"`+words+`","type":"invalid_request_error"}}`)
	}
	request := question
	request.Schema = &Schema{Name: "triage", Body: json.RawMessage(`{"type":"object"}`)}
	u := &upstream{answers: []func(*http.Request) (*http.Response, error){
		refuse("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."),
		refuse("response_format: streaming is not supported"),
		respond(200, say("{}")+stop+done),
	}}
	client, err := New(Options{BaseURL: "http://groq.test", HTTPClient: &http.Client{Transport: u}, Limits: testLimits()})
	require.NoError(t, err)
	_, fault := drain(t, client.Stream(t.Context(), request))
	require.Nil(t, fault)
	require.Len(t, u.bodies, 3)
	for i, want := range []string{
		`{"type":"json_schema","json_schema":{"name":"triage","strict":true,"schema":{"type":"object"}}}`, `{"type":"json_object"}`, "",
	} {
		var body map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(u.bodies[i]), &body))
		require.Equal(t, want, string(body["response_format"]))
	}
	require.NotContains(t, sent(t, client), "response_format", "the caller has not requested a format")
}

func TestMessagesAreSafeForALog(t *testing.T) {
	t.Parallel()
	client := &Client{apiKey: "top-secret"}
	for words, want := range map[string]string{
		"plain":                            "plain",
		" a\n\tb\x00\x1b[1m c\u202e ":      "a b[1m c",
		"key top-secret is wrong":          "key [key] is wrong",
		"Incorrect API key sk-abc***xyz.":  "Incorrect API key [key]",
		"Authorization: Bearer gsk_abcdef": "Authorization: [key]",
	} {
		require.Equal(t, want, client.clean(words))
	}
	require.Len(t, client.clean(strings.Repeat("x", 10_000)), maxMessage)
}

// Each server has its own words for a conversation that is too long.
func TestWordingsOfTooLong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"Anthropic":         {400, `{"error":{"message":"input length and ` + "`max_tokens`" + ` exceed context limit: 199759 + 8192 > 200000, decrease input length or ` + "`max_tokens`" + ` and try again"}}`},
		"Gemini":            {400, `{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}`},
		"OpenAI's rate":     {429, `{"error":{"message":"Request too large for gpt-4o in organization org-a on tokens per min (TPM): Limit 30000, Requested 40000. The input or output tokens must be reduced in order to run successfully.","type":"tokens","code":"rate_limit_exceeded"}}`},
		"TGI":               {422, `{"error":"Input validation error: ` + "`inputs` tokens + `max_new_tokens`" + ` must be <= 4097. Given: 4000 ` + "`inputs` tokens and 1024 `max_new_tokens`" + `","error_type":"validation"}`},
		"TGI's input":       {422, `{"error":"Input validation error: ` + "`inputs`" + ` must have less than 1024 tokens. Given: 2048","error_type":"validation"}`},
		"vLLM's engine":     {400, `{"error":{"message":"The decoder prompt (length 2136) is longer than the maximum model length of 2048.","type":"BadRequestError","code":400}}`},
		"vLLM behind a 500": {500, `{"detail":"[address=0.0.0.0:43769] The decoder prompt (length 66501) is longer than the maximum model length of 65536."}`},
		"xAI":               {400, `{"code":"invalid-argument","error":"This model's maximum prompt length is 131072 but the request contains 150000 tokens."}`},
	} {
		require.Equal(t, TooLarge, statusError(c.status, nil, []byte(c.body)).Kind, name)
	}
	for name, c := range map[string]struct {
		status int
		body   string
		want   Kind
	}{
		"requests": {429, `{"error":{"message":"Too many tokens, please wait before trying again."}}`, Overloaded},
		"a field":  {400, `{"error":{"message":"Unrecognized request argument supplied: max_tokens","type":"invalid_request_error"}}`, Misconfigured},
	} {
		require.Equal(t, c.want, statusError(c.status, nil, []byte(c.body)).Kind, name)
	}
}
