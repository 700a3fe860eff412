package client

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/testing/lossy"
)

func TestDeadConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	shared, ok := sharedTransport().(*http.Transport)
	require.True(t, ok)
	synctest.Test(t, func(t *testing.T) {
		transport := shared.Clone()
		network := lossy.Serve(t, transport, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{}`)
		}))
		s, err := New(WithBaseURL("http://support.test"), WithToken("token"), WithHTTPClient(&http.Client{Transport: transport}))
		require.NoError(t, err)
		read := operation{repeatable: true}
		_, err = call[plain.Ticket](t.Context(), s, read, nil, get("tickets/1"))
		require.NoError(t, err)
		require.Equal(t, 1, network.Lose())

		begin := time.Now()
		_, err = call[plain.Ticket](t.Context(), s, read, nil, get("tickets/1"))
		require.NoError(t, err)
		require.Less(t, time.Since(begin), attemptTimeout/2)
	})
}
