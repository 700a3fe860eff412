// Package groqtest gives tests an upstream.
package groqtest

import (
	"net/http/httptest"
	"testing"

	"github.com/supportbackend/support/internal/dev/groqsim"
)

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
