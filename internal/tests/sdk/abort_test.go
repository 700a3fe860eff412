package sdktest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
)

// answered is what a server sends before it hangs.
type answered struct {
	status    int
	mediaType string
	body      string
}

func (a answered) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if a.status == 0 {
		return
	}
	w.Header().Set("Content-Type", a.mediaType)
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(a.body))
	_ = http.NewResponseController(w).Flush()
}

// watched reports when the client has read everything and waits for more.
type watched struct {
	io.ReadCloser
	left    int
	waiting chan<- struct{}
}

func (w *watched) Read(p []byte) (int, error) {
	if w.left == 0 {
		w.waiting <- struct{}{}
	}
	n, err := w.ReadCloser.Read(p)
	w.left -= n
	return n, err
}

// TestCancelledContextEndsTheCall cancels a call at each point where it can hang, with the real HTTP client.
func TestCancelledContextEndsTheCall(t *testing.T) {
	t.Parallel()
	getMe := func(ctx context.Context, support *client.Support) error {
		_, err := support.GetMe(ctx)
		return err
	}
	stream := func(ctx context.Context, support *client.Support) error {
		_, err := client.AnswerOf(support.StreamAIResponse(ctx, ticketID))
		return err
	}
	for name, test := range map[string]struct {
		hang    answered
		call    func(context.Context, *client.Support) error
		options []client.Option
	}{
		"before the header": {answered{}, getMe, nil},
		"within a body":     {answered{200, "application/json", `{"id":`}, getMe, nil},
		"within an error":   {answered{404, "application/problem+json", `{"code":`}, getMe, nil},
		"in a refresh":      {answered{}, getMe, []client.Option{client.WithToken(""), client.WithRefreshToken("srt_1", nil)}},
		"before a stream":   {answered{}, stream, nil},
		"within a stream":   {answered{200, "text/event-stream", "retry: 100\n\nid: a:1\nda"}, stream, nil},
		"within a page": {answered{200, "application/json", `[{}`}, func(ctx context.Context, support *client.Support) error {
			_, err := support.ListTicketsPage(ctx, nil)
			return err
		}, nil},
		"while askAI waits": {answered{}, func(ctx context.Context, support *client.Support) error {
			_, err := support.AskAI(ctx, ticketID, "Are you there?")
			return err
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waiting := make(chan struct{}, 10)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if test.hang.body == "" {
					waiting <- struct{}{}
				}
				test.hang.ServeHTTP(w, r)
				<-r.Context().Done()
			}))
			t.Cleanup(server.CloseClientConnections)
			support, err := client.New(append([]client.Option{
				client.WithBaseURL(server.URL), client.WithToken("access-1"),
				client.WithHTTPClient(upstream(func(r *http.Request) (*http.Response, error) {
					response, err := http.DefaultClient.Do(r)
					if err == nil && test.hang.body != "" {
						response.Body = &watched{response.Body, len(test.hang.body), waiting}
					}
					return response, err
				})),
			}, test.options...)...)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- test.call(ctx, support) }()
			<-waiting
			cancel()
			select {
			case err := <-ended:
				require.ErrorIs(t, err, context.Canceled)
			case <-time.After(30 * time.Second):
				require.FailNow(t, "the call does not end")
			}
		})
	}
}
