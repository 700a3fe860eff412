package app_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/app"
	"github.com/supportbackend/support/internal/config"
	"github.com/supportbackend/support/internal/groq"
)

func TestUpstreamIsDialledOnlyInAllowedNetworks(t *testing.T) {
	t.Parallel()
	called := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		called++
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, `data: {"choices":[{"delta":{"content":"Hello."},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(server.Close)
	for _, c := range []struct {
		setting string
		called  int
	}{{"GROQ_ALLOW=10.0.0.0/8", 0}, {"GROQ_ALLOW=", 1}} {
		cfg, err := config.Load([]string{"GROQ_API_URL=" + server.URL, "GROQ_API_KEY=a-key", c.setting}, 0)
		require.NoError(t, err)
		cfg.GroqRetries = 0
		client, err := app.NewUpstream(cfg, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		stream := client.Stream(t.Context(), groq.Request{Model: "m", Messages: []groq.Message{{Role: groq.RoleUser, Content: "Hello?"}}})
		for stream.Next() {
			require.Positive(t, c.called, c.setting)
		}
		require.Equal(t, c.called, called, c.setting)
		require.Equal(t, c.called == 0, stream.Err() != nil, c.setting)
	}
}
