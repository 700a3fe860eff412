package httpapi_test

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/groqsim"
	"github.com/supportbackend/support/internal/httpapi"
	"github.com/supportbackend/support/internal/httpapi/apitest"
)

// serveWithDeadline serves the API once more, with a write timeout that any wait is longer than.
func serveWithDeadline(t *testing.T, s *apitest.Server) {
	t.Helper()
	server := httpapi.HTTPServer(s.API, slog.New(slog.DiscardHandler))
	server.WriteTimeout = 50 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	s.URL = "http://" + listener.Addr().String()
}

// What waits for longer than the server's write timeout is answered all the same: the time to write begins with the
// response.
func TestLateResponseIsSentWhole(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{Limits: noRetries()})
	serveWithDeadline(t, s)
	user := s.LogIn(t, s.Customer(t).Email, apitest.Password)
	ticket := user.NewTicket(t)
	require.NoError(t, s.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 1}}}))
	begun := user.Begin(t, ticket.ID)
	poll := user.Do(t, http.MethodGet, "/ai-responses/"+begun.ID.String()+"/events?after=9&wait=1", "")
	require.Equal(t, http.StatusOK, poll.Status, "%s", poll.Body)
	var page client.AIResponseEvents
	require.NoError(t, json.Unmarshal(poll.Body, &page))
	s.Simulator.Release("late")
	require.NotNil(t, user.ReadAIResponse(t, begun.ID).Done)

	require.NoError(t, s.Simulator.Enqueue(groqsim.Script{HeaderDelay: groqsim.Duration(300 * time.Millisecond), Status: 400}))
	user.OpenStream(t, user.NewTicket(t).ID, "").
		RequireProblem(http.StatusUnprocessableEntity, client.ProblemCodeConversationNotAccepted)

	// A failure that is later than both the timeout and the patience for a status.
	require.NoError(t, s.Simulator.Enqueue(groqsim.Script{HeaderDelay: groqsim.Duration(1200 * time.Millisecond), Status: 400}))
	failed := user.Stream(t, user.NewTicket(t).ID).ReadAll().Failed
	require.NotNil(t, failed)
	require.Equal(t, client.AIFailureCodeConversationNotAccepted, failed.Code)
}

// A proxy must not take a server for dead while its model thinks.
func TestStreamOpensBeforeTheModelSaysAnything(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	user := s.Customer(t)
	require.NoError(t, s.Simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "thinking"}}}))
	stream := user.OpenStream(t, user.NewTicket(t).ID, "")
	stream.RequireOK() // The headers are here, and the model has said nothing.
	s.Simulator.Release("thinking")
	require.NotNil(t, stream.ReadAll().Done)
}
