package groq

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// upstream is a transport without a network, so that time can be simulated. Request n gets response n.
type upstream struct {
	answers []func(*http.Request) (*http.Response, error)
	at      []time.Time
	bodies  []string
}

func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	u.at = append(u.at, time.Now())
	u.bodies = append(u.bodies, string(body))
	return u.answers[min(len(u.at), len(u.answers))-1](r)
}

// respond answers with a status, a body and headers given as names and values in turn.
func respond(status int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		if status == http.StatusOK {
			h.Set("Content-Type", "text/event-stream")
		}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: newHangingBody(r.Context(), body, true), Request: r}, nil
	}
}

// hang responds with the start of a stream that then falls silent.
func hang(body string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"text/event-stream"}}
		return &http.Response{StatusCode: http.StatusOK, Header: h, Body: newHangingBody(r.Context(), body, false), Request: r}, nil
	}
}

func refuse(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// hangingBody returns its bytes and then ends, or waits for the context as a real connection does.
type hangingBody struct {
	ctx    context.Context
	data   *bytes.Reader
	ends   bool
	once   sync.Once
	closed chan struct{}
}

func newHangingBody(ctx context.Context, data string, ends bool) *hangingBody {
	return &hangingBody{ctx: ctx, data: bytes.NewReader([]byte(data)), ends: ends, closed: make(chan struct{})}
}

func (h *hangingBody) Read(p []byte) (int, error) {
	if h.data.Len() > 0 || h.ends {
		return h.data.Read(p)
	}
	select {
	case <-h.ctx.Done():
		return 0, h.ctx.Err()
	case <-h.closed:
		return 0, http.ErrBodyReadAfterClose
	}
}

func (h *hangingBody) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func newFake(t *testing.T, answers ...func(*http.Request) (*http.Response, error)) (*Client, *upstream) {
	t.Helper()
	u := &upstream{answers: answers}
	client, err := New(Options{BaseURL: "http://groq.test", HTTPClient: &http.Client{Transport: u}, Limits: testLimits()})
	require.NoError(t, err)
	return client, u
}

var question = Request{Model: "m", Messages: []Message{{Role: RoleUser, Content: "hi"}}}

// drain reads a stream to its end and returns its text and its error.
func drain(t *testing.T, s *Stream) (string, *Error) {
	t.Helper()
	var text strings.Builder
	for s.Next() {
		text.WriteString(s.Delta())
	}
	require.False(t, s.Next(), "the end is final")
	require.Empty(t, s.Delta())
	err := s.Err()
	require.NoError(t, s.Close())
	require.Equal(t, err, s.Err(), "closing an ended stream changes nothing")
	if err == nil {
		return text.String(), nil
	}
	own, ok := errors.AsType[*Error](err)
	require.True(t, ok)
	return text.String(), own
}
