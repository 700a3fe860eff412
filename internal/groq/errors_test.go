package groq

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
)

func TestFailedResponses(t *testing.T) {
	t.Parallel()
	const mention = "gsk_VerySecretKey My <invoice> org_"
	for name, c := range map[string]struct {
		script groqsim.Script
		want   Error
	}{
		"400":                    {groqsim.Script{Status: 400}, Error{Kind: Rejected, Status: 400}},
		"400 decommissioned":     {groqsim.Script{Status: 400, ErrorCode: "model_decommissioned"}, Error{Kind: Misconfigured, Status: 400, Code: "model_decommissioned"}},
		"400 blocked":            {groqsim.Script{Status: 400, ErrorCode: "blocked_api_access"}, Error{Kind: Misconfigured, Status: 400, Code: "blocked_api_access"}},
		"400 too long":           {groqsim.Script{Status: 400, ErrorCode: "context_length_exceeded"}, Error{Kind: TooLarge, Status: 400, Code: "context_length_exceeded"}},
		"code that quotes":       {groqsim.Script{Status: 400, ErrorCode: mention}, Error{Kind: Rejected, Status: 400}},
		"401":                    {groqsim.Script{Status: 401}, Error{Kind: Misconfigured, Status: 401, Code: "invalid_api_key"}},
		"403":                    {groqsim.Script{Status: 403}, Error{Kind: Misconfigured, Status: 403, Code: "permissions_error"}},
		"404":                    {groqsim.Script{Status: 404}, Error{Kind: Misconfigured, Status: 404, Code: "model_not_found"}},
		"413":                    {groqsim.Script{TokensPerMinute: 100}, Error{Kind: TooLarge, Status: 413, Code: "rate_limit_exceeded"}},
		"422":                    {groqsim.Script{Status: 422}, Error{Kind: Rejected, Status: 422}},
		"429 with a header":      {groqsim.Script{Status: 429, RetryAfter: "60"}, Error{Kind: Overloaded, Status: 429, Code: "rate_limit_exceeded", RetryAfter: time.Minute}},
		"429 without one":        {groqsim.Script{Status: 429}, Error{Kind: Overloaded, Status: 429, Code: "rate_limit_exceeded", RetryAfter: 9*time.Minute + 38016*time.Millisecond}},
		"HTML":                   {groqsim.Script{HTML: true}, Error{Kind: Protocol, Status: 200, Code: "not_event_stream"}},
		"JSON":                   {groqsim.Script{JSON: true}, Error{Kind: Protocol, Status: 200, Code: "not_event_stream"}},
		"gzip":                   {groqsim.Script{Gzip: true}, Error{Kind: Protocol, Status: 200, Code: "compressed"}},
		"10 MB line":             {groqsim.Script{LongLine: 10 << 20}, Error{Kind: Protocol, Code: "line_too_long"}},
		"endless line":           {groqsim.Script{EndlessLine: true}, Error{Kind: Protocol, Code: "line_too_long"}},
		"no content":             {groqsim.Script{EmptyContent: true}, Error{Kind: NoAnswer, Code: "no_answer"}},
		"error event":            {groqsim.Script{ErrorAfter: new(2)}, Error{Kind: Protocol, Status: 400, Code: "tool_use_failed"}},
		"error data":             {groqsim.Script{ErrorAfter: new(2), ErrorForm: groqsim.ErrorFormData}, Error{Kind: Protocol, Status: 400, Code: "tool_use_failed"}},
		"error text":             {groqsim.Script{ErrorAfter: new(2), ErrorForm: groqsim.ErrorFormXGroq}, Error{Kind: Protocol, Code: "stream_error"}},
		"overloaded in midst":    {groqsim.Script{ErrorAfter: new(2), ErrorCode: "over_capacity"}, Error{Kind: Overloaded, Code: "over_capacity"}},
		"reset after two tokens": {groqsim.Script{CutAfter: new(2)}, Error{Kind: Protocol, Code: "connection_lost"}},
		"end after two tokens":   {groqsim.Script{EOFAfter: new(2)}, Error{Kind: Protocol, Code: "truncated"}},
		"gate never opened":      {groqsim.Script{Gates: []groqsim.Gate{{Name: "shut", After: 2}}}, Error{Kind: Stalled, Code: "idle"}},
		"no headers":             {groqsim.Script{Stall: &groqsim.Stall{After: -1}}, Error{Kind: Timeout, Code: "no_header"}},
		"headers too late":       {groqsim.Script{HeaderDelay: groqsim.Duration(time.Minute)}, Error{Kind: Timeout, Code: "no_header"}},
	} {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(name+" over "+protocol, func(t *testing.T) {
				t.Parallel()
				limits := testLimits()
				if c.want.Kind == Stalled {
					limits.Idle = 100 * time.Millisecond
				}
				if c.want.Kind == Timeout {
					limits.Header = 100 * time.Millisecond
				}
				b := newFixtureOver(t, protocol, limits, c.script)
				_, fault, result := b.ask()
				require.NotNil(t, fault)
				require.Equal(t, []any{c.want.Kind, c.want.Status, c.want.Code, c.want.RetryAfter},
					[]any{fault.Kind, fault.Status, fault.Code, fault.RetryAfter})
				require.Equal(t, 1, result.Attempts)
				require.Empty(t, result.FinishReason)
				requireSafe(t, fault)
				b.ended(time.Second)
			})
		}
	}
}

// requireSafe checks that no way of printing shows the key, the conversation or the upstream's text.
func requireSafe(t *testing.T, fault *Error) {
	t.Helper()
	require.Regexp(t, `^groq: [a-z_]+(: status [0-9]{3})?(: code [a-z0-9_]{1,64})?$`, fault.Error())
	for _, text := range []string{fault.Error(), fmt.Sprintf("%v %+v %q", fault, fault, fault), fmt.Sprint(errors.Unwrap(fault))} {
		require.NotContains(t, text, secretKey)
		require.NotContains(t, text, "invoice")
		require.NotContains(t, text, "org_")
	}
}

func TestResetConnectionIsRetried(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			b := newFixtureOver(t, protocol, testLimits(), groqsim.Script{Reset: true}, groqsim.Script{Text: "Hello"})
			text, fault, result := b.ask()
			require.Nil(t, fault)
			require.Equal(t, "Hello", text)
			require.Equal(t, 2, result.Attempts)
			require.Len(t, b.sim.Requests(), 2)
		})
	}
}

func TestConnectionThatEndsBeforeTheResponseIsRetried(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	t.Cleanup(server.Close)
	limits := testLimits()
	limits.Retries = 1
	client, err := New(Options{BaseURL: server.URL, Limits: limits})
	require.NoError(t, err)
	s := client.Stream(t.Context(), conversation)
	_, fault := drain(t, s)
	require.NotNil(t, fault)
	require.ErrorIs(t, fault, io.EOF, "the transport's EOF is not a normal end")
	require.Equal(t, Overloaded, fault.Kind)
	require.Equal(t, "connection_closed", fault.Code)
	require.Equal(t, 2, s.Result().Attempts)
}

func TestRateLimitIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newFixture(t, groqsim.Script{Status: 429, RetryAfter: "0.05"}, groqsim.Script{Text: "Hello"})
	text, fault, result := b.ask()
	require.Nil(t, fault)
	require.Equal(t, "Hello", text)
	require.Equal(t, 2, result.Attempts)
}

func TestNoConnectionAtAll(t *testing.T) {
	t.Parallel()
	limits := testLimits()
	limits.Retries = 0
	client, err := New(Options{BaseURL: "http://127.0.0.1:1", APIKey: secretKey, Limits: limits}) // Nobody listens there.
	require.NoError(t, err)
	_, fault := drain(t, client.Stream(t.Context(), conversation))
	require.NotNil(t, fault)
	require.Equal(t, Error{
		Kind: Overloaded, Code: "connection_refused", Message: fault.Message, transient: true, cause: fault.cause,
	}, *fault)
	require.Regexp(t, `^dial tcp 127\.0\.0\.1:\d+: connect: connection refused$`, fault.Message)
	requireSafe(t, fault)
}

func TestUnknownCertificateIsAMisconfiguration(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	client, err := New(Options{BaseURL: server.URL, Limits: testLimits()})
	require.NoError(t, err)
	_, fault := drain(t, client.Stream(t.Context(), conversation))
	require.NotNil(t, fault)
	require.Equal(t, Misconfigured, fault.Kind)
	require.Equal(t, "invalid_tls", fault.Code)
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var visits atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	t.Cleanup(other.Close)
	b := newFixture(t, groqsim.Script{Redirect: other.URL})
	_, fault, _ := b.ask()
	require.NotNil(t, fault)
	require.Equal(t, Protocol, fault.Kind)
	require.Equal(t, http.StatusTemporaryRedirect, fault.Status)
	require.Zero(t, visits.Load(), "the key and the conversation go nowhere else")
}

func TestInvalidRequestsAreNotSent(t *testing.T) {
	t.Parallel()
	user := []Message{{Role: RoleUser, Content: "hi"}}
	for name, request := range map[string]Request{
		"no model":        {Messages: user},
		"no messages":     {Model: "m"},
		"unknown role":    {Model: "m", Messages: []Message{{Role: "tool", Content: "hi"}}},
		"negative budget": {Model: "m", Messages: user, MaxCompletionTokens: -1},
		"too hot":         {Model: "m", Messages: user, Temperature: new(2.1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			s := b.client.Stream(t.Context(), request)
			_, fault := drain(t, s)
			require.NotNil(t, fault)
			require.Equal(t, Rejected, fault.Kind)
			require.Zero(t, s.Result().Attempts)
			require.Empty(t, b.sim.Requests())
		})
	}
}

func TestRetryableKinds(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind]bool{
		Overloaded: true, Timeout: true, Stalled: true, Protocol: true, Empty: true,
		NoAnswer: false, Misconfigured: false, Rejected: false, TooLarge: false, Cancelled: false,
	} {
		require.Equal(t, want, (&Error{Kind: kind}).Retryable(), kind)
	}
}
