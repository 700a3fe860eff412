package groq

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/lossy"
)

// HTTP/2 sends further requests on a connection whose requests have timed out, and TCP takes 15 minutes to give up.
func TestDeadConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hold atomic.Bool
		transport := newTransport(nil)
		network := lossy.Serve(t, transport, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, say("Hello"))
			if hold.Load() {
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}
			_, _ = io.WriteString(w, stop+done)
		}))
		client, err := New(Options{BaseURL: "http://groq.test", HTTPClient: &http.Client{Transport: transport}, Limits: testLimits()})
		require.NoError(t, err)
		hold.Store(true)
		running := make([]*Stream, 3)
		for i := range running {
			running[i] = client.Stream(t.Context(), question)
			require.True(t, running[i].Next())
		}
		hold.Store(false)
		require.Equal(t, 1, network.Lose(), "requests share a connection")

		begin := time.Now()
		text, fault := drain(t, client.Stream(t.Context(), question))
		require.Nil(t, fault)
		require.Equal(t, "Hello", text)
		require.Less(t, time.Since(begin), testLimits().Header)
		for _, s := range running {
			_, fault := drain(t, s)
			require.NotNil(t, fault)
			require.Equal(t, CodeConnectionLost, fault.Code)
		}
		require.Less(t, time.Since(begin), testLimits().Idle)
	})
}
