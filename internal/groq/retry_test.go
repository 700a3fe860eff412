package groq

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const limitBody = `{"error":{"message":"Rate limit reached in organization org_secret. Please try again in %s. More.","type":"tokens","code":"rate_limit_exceeded"}}`

func limited(wait string) string { return strings.Replace(limitBody, "%s", wait, 1) }

var good = respond(200, say("Hello")+stop+done)

var retryCases = map[string]struct {
	answers  []func(*http.Request) (*http.Response, error)
	kind     Kind // empty if there is an answer
	status   int
	after    time.Duration
	attempts int
	waits    [][2]time.Duration // the range of each wait
}{
	"overloaded twice": {
		[]func(*http.Request) (*http.Response, error){respond(503, ""), respond(500, "<html>"), good},
		"", 0, 0, 3,
		[][2]time.Duration{{250 * time.Millisecond, time.Second}, {250 * time.Millisecond, 2 * time.Second}},
	},
	"overloaded for ever": {
		[]func(*http.Request) (*http.Response, error){respond(502, "")},
		Overloaded, 502, 0, 3,
		[][2]time.Duration{{250 * time.Millisecond, time.Second}, {250 * time.Millisecond, 2 * time.Second}},
	},
	"no connection": {
		[]func(*http.Request) (*http.Response, error){refuse, good},
		"", 0, 0, 2,
		[][2]time.Duration{{250 * time.Millisecond, time.Second}},
	},
	"no flex capacity": {
		[]func(*http.Request) (*http.Response, error){respond(498, `{"error":{"code":"capacity_exceeded"}}`), good},
		"", 0, 0, 2,
		[][2]time.Duration{{250 * time.Millisecond, time.Second}},
	},
	"wait in the header": {
		[]func(*http.Request) (*http.Response, error){respond(429, limited("9m38.016s"), "Retry-After", "3"), good},
		"", 0, 0, 2,
		[][2]time.Duration{{3 * time.Second, 3250 * time.Millisecond}},
	},
	"wait in the body": {
		[]func(*http.Request) (*http.Response, error){respond(429, limited("1.5s"), "X-Ratelimit-Reset-Tokens", "1h"), good},
		"", 0, 0, 2,
		[][2]time.Duration{{1500 * time.Millisecond, 1750 * time.Millisecond}},
	},
	"wait in the reset header": {
		[]func(*http.Request) (*http.Response, error){respond(429, "", "X-Ratelimit-Reset-Tokens", "7.66s", "X-Ratelimit-Reset-Requests", "1h"), good},
		"", 0, 0, 2,
		[][2]time.Duration{{7660 * time.Millisecond, 7910 * time.Millisecond}},
	},
	"ten seconds are waited": {
		[]func(*http.Request) (*http.Response, error){respond(503, "", "Retry-After", "10"), good},
		"", 0, 0, 2,
		[][2]time.Duration{{10 * time.Second, 10250 * time.Millisecond}},
	},
	"eleven are not": {
		[]func(*http.Request) (*http.Response, error){respond(429, "", "Retry-After", "11"), good}, Overloaded, 429, 11 * time.Second, 1, nil,
	},
	"nor the daily limit": {
		[]func(*http.Request) (*http.Response, error){respond(429, limited("9m38.016s")), good}, Overloaded, 429, 9*time.Minute + 38016*time.Millisecond, 1, nil,
	},
	"nor the limit of requests": {
		[]func(*http.Request) (*http.Response, error){respond(429, "", "X-Ratelimit-Remaining-Requests", "0", "X-Ratelimit-Reset-Requests", "1h2m"), good},
		Overloaded, 429, 62 * time.Minute, 1, nil,
	},
	"wrong key": {[]func(*http.Request) (*http.Response, error){respond(401, ""), good}, Misconfigured, 401, 0, 1, nil},
	"forbidden": {[]func(*http.Request) (*http.Response, error){respond(403, ""), good}, Misconfigured, 403, 0, 1, nil},
	"no model":  {[]func(*http.Request) (*http.Response, error){respond(404, ""), good}, Misconfigured, 404, 0, 1, nil},
	"refused":   {[]func(*http.Request) (*http.Response, error){respond(400, "", "Retry-After", "1"), good}, Rejected, 400, 0, 1, nil},
	"no sense":  {[]func(*http.Request) (*http.Response, error){respond(422, ""), good}, Rejected, 422, 0, 1, nil},
	"too large": {[]func(*http.Request) (*http.Response, error){respond(413, limited("1s"), "Retry-After", "1"), good}, TooLarge, 413, 0, 1, nil},
	"redirect":  {[]func(*http.Request) (*http.Response, error){respond(302, "", "Location", "http://x"), good}, Protocol, 302, 0, 1, nil},
	"cut before the first delta": {
		[]func(*http.Request) (*http.Response, error){respond(200, `data: {"choices":[]}`+"\n\n"), good},
		"", 0, 0, 2,
		[][2]time.Duration{{250 * time.Millisecond, time.Second}},
	},
	"overloaded before the first delta": {
		[]func(*http.Request) (*http.Response, error){respond(200, "event: error\ndata: {\"error\":{\"status_code\":503}}\n\n"), good},
		"", 0, 0, 2,
		[][2]time.Duration{{250 * time.Millisecond, time.Second}},
	},
	"cut after the first delta": {[]func(*http.Request) (*http.Response, error){respond(200, say("Hello")), good}, Protocol, 0, 0, 1, nil},
	"malformed":                 {[]func(*http.Request) (*http.Response, error){respond(200, "data: x\n\n"), good}, Protocol, 0, 0, 1, nil},
	"not a stream":              {[]func(*http.Request) (*http.Response, error){respond(200, "", "Content-Type", "text/html"), good}, Protocol, 200, 0, 1, nil},
	"empty":                     {[]func(*http.Request) (*http.Response, error){respond(200, stop+done), good}, "", 0, 0, 2, nil},
	"empty twice": {
		[]func(*http.Request) (*http.Response, error){respond(200, stop+done), respond(200, stop+done), good}, Empty, 0, 0, 2, nil,
	},
	"a tool's call, as a status": {
		[]func(*http.Request) (*http.Response, error){respond(400, toolUseFailed), good}, "", 0, 0, 2, nil,
	},
	"a tool's call twice, in the stream": {
		[]func(*http.Request) (*http.Response, error){
			respond(200, "data: "+toolUseFailed+"\n\n"), respond(200, "data: "+toolUseFailed+"\n\n"), good,
		}, Protocol, 0, 0, 2, nil,
	},
	"aborted before the first delta": {
		[]func(*http.Request) (*http.Response, error){respond(200, finish("abort")+done), good}, "", 0, 0, 2, nil,
	},
	"an error with a status of 200": {
		[]func(*http.Request) (*http.Response, error){
			respond(200, `{"error":{"code":503,"message":"Loading model"}}`, "Content-Type", "application/json"), good,
		}, "", 0, 0, 2, nil,
	},
	"milliseconds to wait": {
		[]func(*http.Request) (*http.Response, error){respond(429, "", "Retry-After-Ms", "1500", "Retry-After", "9"), good},
		"", 0, 0, 2,
		[][2]time.Duration{{1500 * time.Millisecond, 1750 * time.Millisecond}},
	},
}

const toolUseFailed = `{"error":{"message":"Tool choice is none, but model called a tool","type":"invalid_request_error","code":"tool_use_failed"}}`

func TestRetries(t *testing.T) {
	t.Parallel()
	for name, c := range retryCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, u := newFake(t, c.answers...)
				s := client.Stream(t.Context(), question)
				text, fault := drain(t, s)
				if c.kind == "" {
					require.Nil(t, fault)
					require.Equal(t, "Hello", text)
				} else {
					require.NotNil(t, fault)
					require.Equal(t, []any{c.kind, c.status, c.after}, []any{fault.Kind, fault.Status, fault.RetryAfter})
				}
				require.Equal(t, c.attempts, s.Result().Attempts)
				require.Len(t, u.at, c.attempts)
				for i, wait := range c.waits {
					took := u.at[i+1].Sub(u.at[i])
					require.True(t, wait[0] <= took && took <= wait[1], "wait %d took %s", i, took)
					require.Equal(t, u.bodies[0], u.bodies[i+1], "the same request again")
				}
			})
		})
	}
}

func TestSilenceAndSlownessEnd(t *testing.T) {
	t.Parallel()
	drip := func(r *http.Request) (*http.Response, error) {
		read, write := io.Pipe()
		go func() {
			for r.Context().Err() == nil {
				timer := time.NewTimer(10 * time.Second)
				select {
				case <-timer.C:
					_, _ = write.Write([]byte(": still here\n"))
				case <-r.Context().Done():
				}
				timer.Stop()
			}
			_ = write.CloseWithError(r.Context().Err())
		}()
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: read, Request: r}, nil
	}
	for name, c := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		kind   Kind
		code   string
		after  time.Duration
	}{
		"no header":                {silent, Timeout, "no_header", 15 * time.Second},
		"silent after the header":  {hang(""), Stalled, "idle", 20 * time.Second},
		"silent after a delta":     {hang(say("a")), Stalled, "idle", 20 * time.Second},
		"silent within a line":     {hang("data: {"), Stalled, "idle", 20 * time.Second},
		"only comments":            {drip, Timeout, "total_exceeded", 120 * time.Second},
		"silent after the finish":  {hang(say("a") + stop), "", "", tailIdle},
		"ended, but the body open": {hang(say("a") + stop + done), "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, u := newFake(t, c.answer)
				_, fault := drain(t, client.Stream(t.Context(), question))
				require.Equal(t, c.after, time.Since(u.at[0]))
				require.Len(t, u.at, 1)
				if c.kind == "" {
					require.Nil(t, fault)
					return
				}
				require.NotNil(t, fault)
				require.Equal(t, []any{c.kind, c.code}, []any{fault.Kind, fault.Code})
				require.True(t, fault.Retryable())
			})
		})
	}
}

func TestErrorBodyThatNeverEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, u := newFake(t, func(r *http.Request) (*http.Response, error) {
			resp, err := hang(`{"error":`)(r)
			resp.StatusCode = http.StatusUnauthorized
			return resp, err
		})
		_, fault := drain(t, client.Stream(t.Context(), question))
		require.NotNil(t, fault)
		require.Equal(t, Misconfigured, fault.Kind)
		require.Equal(t, 20*time.Second, time.Since(u.at[0]))
	})
}

func TestSlowReaderIsNotASilentUpstream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, _ := newFake(t, respond(200, say("a")+say(strings.Repeat("b", 8<<10))+say("c")+stop+done))
		s := client.Stream(t.Context(), question)
		require.True(t, s.Next())
		<-time.After(60 * time.Second)
		_, fault := drain(t, s)
		require.Nil(t, fault)
	})
}

func TestRetryDoesNotOutliveTheTotalTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		client, u := newFake(t, respond(429, "", "Retry-After", "9"))
		_, fault := drain(t, client.Stream(ctx, question))
		require.NotNil(t, fault)
		require.Equal(t, Overloaded, fault.Kind)
		require.Zero(t, time.Since(u.at[0]), "no wait that would exceed the deadline")
	})
}

func TestCancelDuringTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reason := errors.New("a person took over")
		ctx, cancel := context.WithCancelCause(t.Context())
		client, u := newFake(t, respond(429, "", "Retry-After", "9"))
		time.AfterFunc(2*time.Second, func() { cancel(reason) })
		_, fault := drain(t, client.Stream(ctx, question))
		require.NotNil(t, fault)
		require.Equal(t, Cancelled, fault.Kind)
		require.ErrorIs(t, fault, reason)
		require.False(t, fault.Retryable())
		require.Equal(t, 2*time.Second, time.Since(u.at[0]))
	})
}

func TestCallersDeadlineIsATimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		client, _ := newFake(t, hang(say("a")))
		text, fault := drain(t, client.Stream(ctx, question))
		require.Equal(t, "a", text)
		require.NotNil(t, fault)
		require.Equal(t, Timeout, fault.Kind)
		require.ErrorIs(t, fault, context.DeadlineExceeded)
	})
}

func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	limits := testLimits()
	limits.Body = 8 << 10
	end := say("a") + stop + done
	read := func(body string) *Error {
		u := &upstream{answers: []func(*http.Request) (*http.Response, error){respond(200, body)}}
		client, err := New(Options{BaseURL: "http://groq.test", HTTPClient: &http.Client{Transport: u}, Limits: limits})
		require.NoError(t, err)
		_, fault := drain(t, client.Stream(t.Context(), question))
		return fault
	}
	room := strings.Repeat(":\n", int(limits.Body)/2)
	require.Nil(t, read(room[:len(room)-len(end)]+end), "a body may end at the limit")
	require.Nil(t, read(strings.Repeat(say("a"), 1000)+end), "the limit is for the answer, not for its frames")
	fault := read(say("a") + room + room)
	require.NotNil(t, fault)
	require.Equal(t, Error{Kind: Protocol, Code: "body_too_long"}, *fault)
}
