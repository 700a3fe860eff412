package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/groqtest"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// reader follows an answer as a browser does: it shows deltas, clears them at a reset, and remembers the last event's
// id.
type reader struct {
	text   string
	lastID string
	ended  bool
	// message is the message of the event done.
	message client.Message
}

// read reads events until the stream ends or is cut, or stop returns true.
func (r *reader) read(t *testing.T, response *http.Response, stop func() bool) {
	t.Helper()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	var event string
	for !stop() && lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			r.lastID = value
		case "event":
			event = value
		case "data":
			r.take(t, event, value)
			event = ""
		}
	}
}

func (r *reader) take(t *testing.T, event, data string) {
	t.Helper()
	var payload struct {
		Content string
		Message client.Message
	}
	require.NoError(t, json.Unmarshal([]byte(data), &payload))
	switch event {
	case "":
		r.text += payload.Content
	case "reset":
		r.text = ""
	case "done":
		r.message, r.ended = payload.Message, true
	default:
		require.Equal(t, "start", event)
	}
}

// takenOverWithin covers the lease, a reaper's longest pause, and a loaded machine.
const takenOverWithin = 20 * time.Second

func TestAnotherProcessFinishesTheAnswerOfAKilledOne(t *testing.T) {
	t.Parallel()
	simulator := groqsim.New(groqsim.Options{})
	require.NoError(t, simulator.Enqueue(groqsim.Script{Gates: []groqsim.Gate{{Name: "for ever", After: 5}}}))
	upstream := groqtest.Serve(t, simulator)
	database := storetest.NewURL(t)
	environ := []string{"DATABASE_URL=" + database, "GROQ_API_URL=" + upstream, "GROQ_API_KEY=k"}
	first, firstAddress := serve(t, environ...)
	_, secondAddress := serve(t, environ...)

	response := openStream(t, firstAddress)
	var r reader
	r.read(t, response, func() bool { return r.text != "" })
	require.NoError(t, first.cmd.Process.Kill())
	killed := time.Now()

	ticketPath := response.Request.URL.Path
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, secondAddress+ticketPath, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", response.Request.Header.Get("Authorization"))
	request.Header.Set("Last-Event-ID", r.lastID)
	resumed, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resumed.Body.Close() })
	require.Equal(t, http.StatusOK, resumed.StatusCode)
	r.read(t, resumed, func() bool { return false })

	require.True(t, r.ended)
	require.Less(t, time.Since(killed), takenOverWithin)
	require.Equal(t, r.message.Content, r.text)
	require.Equal(t, r.text, storetest.QueryText(t, database, "SELECT content FROM messages WHERE author = 'ai'"))
	require.Equal(t, 2, storetest.QueryInt(t, database, "SELECT attempt FROM ai_responses"))
}
