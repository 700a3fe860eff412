package groq

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
)

const secretKey = "gsk_VerySecretKey"

// fixture is a client with a simulator, over the network.
type fixture struct {
	t      *testing.T
	sim    *groqsim.Simulator
	client *Client
}

// newFixture returns a fixture over HTTP/2 and TLS, as with Groq.
func newFixture(t *testing.T, scripts ...groqsim.Script) *fixture {
	t.Helper()
	return newFixtureWith(t, testLimits(), scripts...)
}

func newFixtureWith(t *testing.T, limits Limits, scripts ...groqsim.Script) *fixture {
	t.Helper()
	return newFixtureOver(t, "HTTP/2.0", limits, scripts...)
}

// newFixtureOver returns a fixture over HTTP/2 and TLS, as with Groq, or over HTTP/1.1, as with local servers.
func newFixtureOver(t *testing.T, protocol string, limits Limits, scripts ...groqsim.Script) *fixture {
	t.Helper()
	sim := groqsim.New(groqsim.Options{APIKey: secretKey})
	require.NoError(t, sim.Enqueue(scripts...))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Proto != protocol {
			t.Error("asked over " + r.Proto)
		}
		sim.ServeHTTP(w, r)
	}))
	transport := newTransport(nil)
	if protocol == "HTTP/1.1" {
		server.Start()
	} else {
		server.EnableHTTP2 = true
		server.StartTLS()
		transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13}
		transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	}
	client, err := New(Options{
		BaseURL: server.URL, APIKey: secretKey, Limits: limits, HTTPClient: &http.Client{Transport: transport},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		client.CloseIdleConnections()
		sim.Close()
		server.Close()
	})
	return &fixture{t: t, sim: sim, client: client}
}

func (b *fixture) ask() (string, *Error, Result) {
	b.t.Helper()
	s := b.client.Stream(b.t.Context(), conversation)
	text, fault := drain(b.t, s)
	return text, fault, s.Result()
}

// ended returns the record of the last request once it has ended.
func (b *fixture) ended(within time.Duration) groqsim.RequestRecord {
	b.t.Helper()
	return b.wait(within, func(r groqsim.RequestRecord) bool { return r.End != groqsim.EndRunning })
}

func (b *fixture) wait(within time.Duration, done func(groqsim.RequestRecord) bool) groqsim.RequestRecord {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), within)
	defer cancel()
	var last groqsim.RequestRecord
	require.NoError(b.t, b.sim.Wait(ctx, func(records []groqsim.RequestRecord) bool {
		if len(records) == 0 {
			return false
		}
		last = records[len(records)-1]
		return done(last)
	}))
	return last
}

var conversation = Request{
	Model:               "openai/gpt-oss-120b",
	Messages:            []Message{{Role: RoleSystem, Content: "Be kind."}, {Role: RoleUser, Content: "My <invoice> is wrong"}},
	MaxCompletionTokens: 1024,
	Temperature:         new(0.2),
	User:                "u1",
}

func TestAnswerAndRequest(t *testing.T) {
	t.Parallel()
	b := newFixture(t, groqsim.Script{Text: "Hello there, friend."})
	before := time.Now()
	text, fault, result := b.ask()
	require.Nil(t, fault)
	require.Equal(t, "Hello there, friend.", text)
	require.Equal(t, FinishStop, result.FinishReason)
	require.Equal(t, "openai/gpt-oss-120b", result.Model)
	require.Equal(t, 1, result.Attempts)
	require.Equal(t, 12, result.Usage.ReasoningTokens)
	require.Equal(t, result.Usage.TotalTokens, result.Usage.PromptTokens+result.Usage.CompletionTokens)
	require.True(t, strings.HasPrefix(result.RequestID, "req_"))
	require.False(t, result.FirstTokenAt.Before(before))

	record := b.ended(5 * time.Second)
	require.Equal(t, groqsim.EndCompleted, record.End)
	require.Equal(t, "/openai/v1/chat/completions", record.Path)
	require.JSONEq(t, `{"model":"openai/gpt-oss-120b","stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":1024,
		"temperature":0.2,"user":"u1","include_reasoning":false,
		"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"My <invoice> is wrong"}]}`, string(record.Body))
	require.Equal(t, "text/event-stream", record.Header.Get("Accept"))
	require.Equal(t, "identity", record.Header.Get("Accept-Encoding"))
	require.Equal(t, "support-backend", record.Header.Get("User-Agent"))
	require.Equal(t, "application/json", record.Header.Get("Content-Type"))
}

func TestReasoningIsHiddenOnlyWhereSupported(t *testing.T) {
	t.Parallel()
	b := newFixture(t, groqsim.Script{Reasoning: 5, Text: "Hello", Times: -1})
	for model, want := range map[string]string{
		"openai/gpt-oss-20b": `"include_reasoning":false`, "qwen/qwen3.8-27b": `"reasoning_format":"hidden"`, "Qwen/Qwen3-8B": "", "gpt-oss:20b": "",
	} {
		request := conversation
		request.Model = model
		text, fault := drain(t, b.client.Stream(t.Context(), request))
		require.Nil(t, fault)
		require.Equal(t, "Hello", text, "reasoning that arrives anyway is dropped")
		records := b.sim.Requests()
		body := string(records[len(records)-1].Body)
		if want == "" {
			require.NotContains(t, body, "reasoning")
		} else {
			require.Contains(t, body, want)
		}
	}
	b.client.speech.hidesReasoning = false
	_, fault, _ := b.ask()
	require.Nil(t, fault)
	records := b.sim.Requests()
	require.NotContains(t, string(records[len(records)-1].Body), "reasoning")
}

func TestHealthyStreamsInEveryForm(t *testing.T) {
	t.Parallel()
	const text = "Příliš žluťoučký kůň 😀🚀 <script>\n\nevent: done\ndata: {}\r\n\u2028"
	for name, script := range map[string]groqsim.Script{
		"plain":               {},
		"byte by byte":        {SplitWrites: 1},
		"three bytes at once": {SplitWrites: 3},
		"CRLF":                {CRLF: true, SplitWrites: 7},
		"divided surrogates":  {SplitSurrogates: true},
		"all of it":           {SplitSurrogates: true, CRLF: true, SplitWrites: 1},
		"no end":              {NoDone: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script.Text = text
			b := newFixture(t, script)
			got, fault, result := b.ask()
			require.Nil(t, fault)
			require.Equal(t, text, got)
			require.Equal(t, FinishStop, result.FinishReason)
			require.Positive(t, result.Usage.TotalTokens)
		})
	}
}

func TestUsageMayBeMissing(t *testing.T) {
	t.Parallel()
	_, fault, result := newFixture(t, groqsim.Script{NoUsage: true}).ask()
	require.Nil(t, fault)
	require.Zero(t, result.Usage)
}

func TestCancelClosesTheConnectionImmediately(t *testing.T) {
	t.Parallel()
	b := newFixture(t, groqsim.Script{Stall: &groqsim.Stall{After: 2}})
	ctx, cancel := context.WithCancel(t.Context())
	s := b.client.Stream(ctx, conversation)
	require.True(t, s.Next())
	require.True(t, s.Next())
	b.wait(5*time.Second, func(r groqsim.RequestRecord) bool { return r.HeldAt == "stall" })
	go cancel()
	require.False(t, s.Next())
	fault, ok := errors.AsType[*Error](s.Err())
	require.True(t, ok)
	require.Equal(t, Cancelled, fault.Kind)
	require.ErrorIs(t, fault, context.Canceled)
	require.Equal(t, groqsim.EndClientGone, b.ended(time.Second).End)
}

func TestCloseClosesTheConnectionImmediately(t *testing.T) {
	t.Parallel()
	b := newFixture(t, groqsim.Script{Stall: &groqsim.Stall{After: 1}})
	s := b.client.Stream(t.Context(), conversation)
	require.True(t, s.Next())
	require.NoError(t, s.Err(), "the stream is running")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.False(t, s.Next())
	fault, ok := errors.AsType[*Error](s.Err())
	require.True(t, ok)
	require.Equal(t, Cancelled, fault.Kind)
	require.Equal(t, groqsim.EndClientGone, b.ended(time.Second).End)
}

func TestCloseWithoutNext(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	require.NoError(t, b.client.Stream(t.Context(), conversation).Close())
	require.Empty(t, b.sim.Requests())
}

func TestLongAnswerIsCutAndTheConnectionClosed(t *testing.T) {
	t.Parallel()
	limits := testLimits()
	limits.Answer = 9
	b := newFixtureWith(t, limits, groqsim.Script{Deltas: []string{"žžž", "žžž", "no"}, Stall: &groqsim.Stall{After: 2}})
	text, fault, result := b.ask()
	require.Nil(t, fault)
	require.Equal(t, "žžžž", text)
	require.Equal(t, FinishLength, result.FinishReason)
	require.Equal(t, groqsim.EndClientGone, b.ended(time.Second).End)
}

func TestEveryDeltaComesWhenItIsSent(t *testing.T) {
	t.Parallel()
	b := newFixture(t, groqsim.Script{Deltas: []string{"a", "b"}, Gates: []groqsim.Gate{{Name: "one", After: 1}}})
	s := b.client.Stream(t.Context(), conversation)
	require.True(t, s.Next())
	require.Equal(t, "a", s.Delta())
	require.Equal(t, "openai/gpt-oss-120b", s.Result().Model)
	b.sim.Release("one")
	text, fault := drain(t, s)
	require.Nil(t, fault)
	require.Equal(t, "b", text)
}

func TestCannedBytes(t *testing.T) {
	t.Parallel()
	for name, c := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var chunks [][]byte
			for i := range len(c.body) {
				chunks = append(chunks, []byte{c.body[i]})
			}
			text, fault, _ := newFixture(t, groqsim.Script{RawChunks: chunks}).ask()
			require.Nil(t, fault)
			require.Equal(t, c.text, text)
		})
	}
}

func TestBaseURLs(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://api.groq.com":                            "https://api.groq.com/openai/v1/chat/completions",
		"\thttps://api.groq.com/\n":                       "https://api.groq.com/openai/v1/chat/completions",
		"https://api.groq.com/openai/v1/":                 "https://api.groq.com/openai/v1/chat/completions",
		"http://localhost:11434/v1":                       "http://localhost:11434/v1/chat/completions",
		"http://[::1]:8000/gateway/v1":                    "http://[::1]:8000/gateway/v1/chat/completions",
		"https://api.groq.com/openai/v1/chat/completions": "https://api.groq.com/openai/v1/chat/completions",
	} {
		client, err := New(Options{BaseURL: base, Limits: testLimits()})
		require.NoError(t, err)
		require.Equal(t, want, client.endpoint)
	}
	for _, base := range []string{
		"", "api.groq.com", "ftp://api.groq.com", "file:///etc/passwd", "https://", "https://:443", "https://user:hunter2@api.groq.com",
		"https://api.groq.com?key=hunter2", "https://api.groq.com/#hunter2", "https://api.groq.com/openai", "https://hunter2 .com", "https://a.b/v2",
	} {
		_, err := New(Options{BaseURL: base, Limits: testLimits()})
		require.Error(t, err, base)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"gsk hunter2", "hunter2\r\nX-Evil: 1", "hunter2\x00", "hunter2é"} {
		_, err := New(Options{BaseURL: "https://api.groq.com", APIKey: key, Limits: testLimits()})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := New(Options{BaseURL: "https://api.groq.com", Limits: Limits{Line: 1}})
	require.Error(t, err)
}

func TestGivenHTTPClientIsNotChanged(t *testing.T) {
	t.Parallel()
	given := &http.Client{Timeout: time.Second}
	client, err := New(Options{BaseURL: "https://api.groq.com", HTTPClient: given, Limits: testLimits()})
	require.NoError(t, err)
	require.Nil(t, given.CheckRedirect)
	require.Equal(t, time.Second, given.Timeout)
	require.Zero(t, client.http.Timeout)
}

func TestServerWithoutAuthentication(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		var request map[string]any
		if json.NewDecoder(r.Body).Decode(&request) != nil {
			return
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = w.Write([]byte(say("Hello") + stop + done))
	}))
	t.Cleanup(server.Close)
	client, err := New(Options{BaseURL: server.URL + "/v1", Limits: testLimits()})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	text, fault := drain(t, client.Stream(t.Context(), question))
	require.Nil(t, fault)
	require.Equal(t, "Hello", text)
}

// testLimits returns a server's default limits.
func testLimits() Limits {
	return Limits{
		Header: 15 * time.Second, Idle: 20 * time.Second, Total: 120 * time.Second, RetryWait: 10 * time.Second, Retries: 2,
		Line: 1 << 20, Body: 4 << 20, Answer: 64 << 10,
	}
}
