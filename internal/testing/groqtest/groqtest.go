// Package groqtest gives tests an upstream.
package groqtest

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
)

// patience is how long Wait waits. It is long, because the machine may be busy.
const patience = time.Minute

// Serve serves a simulator until the test ends, and returns its URL.
func Serve(t testing.TB, s *groqsim.Simulator) string {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// Wait waits until the simulator's records satisfy a condition.
func Wait(t testing.TB, s *groqsim.Simulator, done func([]groqsim.RequestRecord) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if s.Wait(ctx, done) == nil {
		return
	}
	for i, r := range s.Requests() {
		t.Logf("request %d: held at %q, %s", i, r.HeldAt, r.End)
	}
	require.FailNow(t, "The requests to the simulator are not as expected after "+patience.String())
}
