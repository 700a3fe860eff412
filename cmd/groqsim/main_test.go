package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServesUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-addr", "127.0.0.1:0", "-quiet", "-tokens-per-second", "0"}, write, io.Discard)
		_ = write.Close()
	}()
	first := make([]byte, 1024)
	n, err := read.Read(first)
	require.NoError(t, err)
	base := regexp.MustCompile(`http://[0-9.:]+`).FindString(string(first[:n]))
	require.NotEmpty(t, base)
	go func() { _, _ = io.Copy(io.Discard, read) }()

	post := func(path, body string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer any")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	const request = `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`
	require.Equal(t, http.StatusNoContent, post("/__sim/scripts", `{"stall":{"after":1},"text":"one two"}`).StatusCode)
	held := post("/openai/v1/chat/completions", request)
	require.Equal(t, http.StatusOK, held.StatusCode)

	stop()
	require.NoError(t, <-done, "a held stream does not keep the server from ending")
}

func TestFlags(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "script.json")
	require.NoError(t, os.WriteFile(script, []byte(`{"text":"hello","header_delay":"10ms"}`), 0o600))
	s, err := parse([]string{"-models", "a, b", "-script", script}, io.Discard, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, s.options.Models)
	require.Equal(t, "hello", s.options.Default.Text)

	require.NoError(t, os.WriteFile(script, []byte(`{"txet":"hello"}`), 0o600))
	_, err = parse([]string{"-script", script}, io.Discard, io.Discard)
	require.ErrorContains(t, err, "txet")
	_, err = parse([]string{"surplus"}, io.Discard, io.Discard)
	require.ErrorContains(t, err, "surplus")
}

func TestTakenAddressSaysWhatToDo(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	err = run(t.Context(), []string{"-addr", listener.Addr().String()}, io.Discard, io.Discard)
	require.ErrorContains(t, err, "choose another address with -addr")
}

func TestHelpGoesToStandardOutput(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	_, err := parse([]string{"--help"}, &out, io.Discard)
	require.ErrorIs(t, err, flag.ErrHelp)
	require.Contains(t, out.String(), "-tokens-per-second")
	require.Contains(t, out.String(), "/__sim/scripts")
}
