package assistant_test

import (
	"bytes"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/groq"
	"github.com/supportbackend/support/internal/testing/storetest"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestPanicDuringAnAnswerFailsOnlyTheAnswer(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	client, err := groq.New(groq.Options{BaseURL: "http://upstream.invalid", Limits: assistant.DefaultLimits(), HTTPClient: &http.Client{
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			panic("a fault of the program")
		}),
	}})
	require.NoError(t, err)
	log := &syncBuffer{}
	service := assistant.NewService(storetest.Open(t, b.url), assistant.DefaultOptions(client, log))
	run(t, service)
	_, err = service.Open(t.Context(), b.customer, b.ticket.ID, eventlog.EventID{})
	require.True(t, apperr.Is(err, apperr.Internal), "%v", err)
	require.NotContains(t, err.Error(), "a fault of the program")
	service.Drain(t.Context())
	require.Equal(t, "failed internal",
		storetest.QueryText(t, b.url, "SELECT concat_ws(' ', status, error_code) FROM ai_responses"))
	require.Contains(t, log.String(), "a fault of the program")
	require.Contains(t, log.String(), "panic_test.go", "the stack is in the log")

	_, _, err = b.service.Start(t.Context(), b.customer, b.ticket.ID, assistant.Request{})
	require.NoError(t, err)
	events := readAll(t, b.open(t))
	require.IsType(t, eventlog.Done{}, events[len(events)-1], "the turn can be answered again")
}
