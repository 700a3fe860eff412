package groqsim

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGateHoldsUntilReleased(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{})
	resp, _ := b.post("/__sim/scripts", `{"deltas":["a","b"],"gates":[{"name":"door","after":1}]}`)
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	stream, err := b.do(t.Context(), http.MethodPost, "/v1/chat/completions", hello)
	require.NoError(t, err)
	defer func() { _ = stream.Body.Close() }()
	held := b.wait(func(r RequestRecord) bool { return r.HeldAt == "door" })
	require.Equal(t, 1, held.TokensSent)
	require.Equal(t, EndRunning, held.End)
	resp, _ = b.post("/__sim/gates/door/release", "")
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	text, err := io.ReadAll(stream.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "[DONE]")
	require.Equal(t, EndCompleted, b.ended().End)
}

func TestGateMayBeReleasedFirstAndResetLetsGo(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{Gates: []Gate{{Name: "open", After: -1}}}, Script{Gates: []Gate{{Name: "shut", After: -1}}})
	b.sim.Release("open")
	b.sim.Release("open")
	_, body := b.chat(hello)
	require.Contains(t, body, "[DONE]")
	done := make(chan string, 1)
	go func() {
		_, body := b.chat(hello)
		done <- body
	}()
	b.wait(func(r RequestRecord) bool { return r.HeldAt == "shut" })
	b.post("/__sim/reset", "")
	require.Contains(t, <-done, "[DONE]")
}

func TestStallUntilTheClientLeaves(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{Stall: &Stall{After: 1}})
	ctx, leave := context.WithCancel(t.Context())
	resp, err := b.do(ctx, http.MethodPost, "/v1/chat/completions", hello)
	require.NoError(t, err)
	b.wait(func(r RequestRecord) bool { return r.HeldAt == "stall" })
	leave()
	require.NoError(t, resp.Body.Close())
	require.Equal(t, EndClientGone, b.ended().End)
}

func TestShortStallsAndSlowHeadersPass(t *testing.T) {
	t.Parallel()
	brief := Duration(time.Millisecond)
	b := newFixture(t, Options{TokensPerSecond: 10_000}, Script{HeaderDelay: brief, Stall: &Stall{After: 1, For: brief}})
	_, body := b.chat(hello)
	require.Contains(t, body, "[DONE]")
}

func TestCloseEndsHeldRequests(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{Stall: &Stall{After: 1}})
	resp, err := b.do(t.Context(), http.MethodPost, "/v1/chat/completions", hello)
	require.NoError(t, err)
	b.wait(func(r RequestRecord) bool { return r.HeldAt == "stall" })
	b.sim.Close()
	_, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, EndCut, b.ended().End)
}

func TestConnectionIsReset(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{Reset: true}, Script{CutAfter: new(2)})
	_, err := b.do(t.Context(), http.MethodPost, "/v1/chat/completions", hello)
	require.Error(t, err)
	require.Zero(t, b.ended().Status)
	resp, err := b.do(t.Context(), http.MethodPost, "/v1/chat/completions", hello)
	require.NoError(t, err)
	_, err = io.ReadAll(resp.Body)
	require.Error(t, err)
	require.NoError(t, resp.Body.Close())
	record := b.ended()
	require.Equal(t, EndCut, record.End)
	require.Equal(t, 2, record.TokensSent)
}

func TestEarlyEndIsOrderly(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{EOFAfter: new(2)})
	_, body := b.chat(hello)
	require.NotContains(t, body, "[DONE]")
	require.Equal(t, 2, strings.Count(body, `"delta":{"content"`))
	require.Equal(t, EndCut, b.ended().End)
}

func TestErrorsInTheStream(t *testing.T) {
	t.Parallel()
	for form, want := range map[ErrorForm]string{
		"":             "event: error\ndata: {\"error\":{",
		ErrorFormEvent: "event: error\ndata: {\"error\":{",
		ErrorFormData:  "\n\ndata: {\"error\":{",
		ErrorFormXGroq: `"error":"Tool call validation failed`,
	} {
		t.Run("form "+string(form), func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, Options{}, Script{ErrorAfter: new(1), ErrorForm: form})
			_, body := b.chat(hello)
			require.Contains(t, body, want)
			require.NotContains(t, body, "[DONE]")
			require.Equal(t, EndError, b.ended().End)
		})
	}
}

func TestResponsesOtherThanStreams(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{HTML: true}, Script{JSON: true}, Script{Gzip: true}, Script{Redirect: "http://other.test/"})
	resp, _ := b.chat(hello)
	require.Contains(t, resp.Header.Get("Content-Type"), "text/html")
	resp, body := b.chat(hello)
	require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	require.Contains(t, body, `"chat.completion"`)
	resp, body = b.chat(hello)
	require.Equal(t, "gzip", resp.Header.Get("Content-Encoding"))
	require.Equal(t, "\x1f\x8b", body[:2])
	resp, _ = b.chat(hello)
	require.Equal(t, http.StatusTemporaryRedirect, resp.StatusCode)
	require.Equal(t, "http://other.test/", resp.Header.Get("Location"))
}

func TestLongAndEndlessLines(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{LongLine: 100_000}, Script{EndlessLine: true})
	_, body := b.chat(hello)
	require.Len(t, body, 100_002)
	resp, err := b.do(t.Context(), http.MethodPost, "/v1/chat/completions", hello)
	require.NoError(t, err)
	_, err = io.CopyN(io.Discard, resp.Body, 1<<20)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, EndClientGone, b.ended().End)
}

func TestWritesAreSplitAtAnyByte(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{}, Script{Text: "žluťoučký 😀", SplitWrites: 1, CRLF: true, SplitSurrogates: true, Reasoning: -1})
	_, body := b.chat(hello)
	require.Contains(t, body, `{"content":"\ud83d"}`)
	require.Contains(t, body, `{"content":"\ude00"}`)
	require.True(t, strings.HasSuffix(body, "data: [DONE]\r\n\r\n"))
	require.Equal(t, strings.Count(body, "\n"), strings.Count(body, "\r\n"))
}

func TestRawChunksAreVerbatim(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{})
	script, err := json.Marshal(Script{RawChunks: [][]byte{[]byte("data: \xff"), []byte("\r\r\n")}, Gates: []Gate{{Name: "raw", After: 1}}})
	require.NoError(t, err)
	b.post("/__sim/scripts", string(script))
	resp, err := b.do(t.Context(), http.MethodPost, "/v1/chat/completions", hello)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body := bufio.NewReader(resp.Body)
	first := make([]byte, 7)
	_, err = io.ReadFull(body, first)
	require.NoError(t, err)
	require.Equal(t, "data: \xff", string(first))
	b.sim.Release("raw")
	rest, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, "\r\r\n", string(rest))
}

func TestControlRefusesUnknownMembers(t *testing.T) {
	t.Parallel()
	b := newFixture(t, Options{})
	for _, body := range []string{``, `{"txet":"misspelt"}`, `{"header_delay":5}`, `{"header_delay":"soon"}`, `[{"status":200}]`} {
		resp, text := b.post("/__sim/scripts", body)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, body)
		require.Contains(t, text, "invalid_request_error")
	}
	resp, text := b.post("/nowhere", "")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.Contains(t, text, "unknown_url")
}
