package api_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

// serveWithDeadline serves the API again, with a write timeout that is shorter than any wait. It counts the requests,
// because a client repeats a GET when its connection ends without a response.
func serveWithDeadline(t *testing.T, s *desk.Desk) (requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	server := httpapi.HTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		s.API.ServeHTTP(w, r)
	}), slog.New(slog.DiscardHandler))
	server.WriteTimeout = 50 * time.Millisecond
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	s.URL = "http://" + listener.Addr().String()
	return requests
}

// A request may wait for longer than the server's write timeout, because that begins with the response.
func TestLateResponseIsSent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		patience time.Duration
		require  func(*testing.T, *apitest.Stream)
	}{
		{"status", patience, func(_ *testing.T, s *apitest.Stream) {
			s.RequireProblem(http.StatusUnprocessableEntity, client.ProblemCodeConversationNotAccepted)
		}},
		{"event", time.Millisecond, func(t *testing.T, s *apitest.Stream) { // The server does not wait for a status.
			t.Helper()
			s.RequireOK()
			failed := s.ReadAll().Failed
			require.NotNil(t, failed)
			require.Equal(t, client.AIFailureCodeConversationNotAccepted, failed.Code)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := desk.New(t, desk.Options{Limits: noRetries(), Patience: c.patience})
			requests := serveWithDeadline(t, s)
			user := s.LogIn(t, s.Customer(t).Email, apitest.Password)
			ticket := user.NewTicket(t)
			enqueue(t, s, groqsim.Script{HeaderDelay: groqsim.Duration(300 * time.Millisecond), Status: 400})
			before := requests.Load()
			c.require(t, user.OpenStream(t, ticket.ID, ""))
			require.EqualValues(t, 1, requests.Load()-before, "no request was cut off and sent again")
		})
	}
}

// A proxy must not close the connection while the model thinks.
func TestStreamOpensBeforeTheModelSaysAnything(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	require.NoError(t, s.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "thinking"}}}))
	stream := user.OpenStream(t, user.NewTicket(t).ID, "")
	stream.RequireOK() // The headers arrive before the model says anything.
	begin := make([]byte, len("retry: 2000\n: open\n\n"))
	_, err := io.ReadFull(stream.Response.Body, begin)
	require.NoError(t, err)
	require.Equal(t, "retry: 2000\n: open\n\n", string(begin))
	s.Simulator.Release("thinking")
	require.NotNil(t, stream.ReadAll().Done)
}
