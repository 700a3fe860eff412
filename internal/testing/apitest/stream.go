package apitest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
)

// Event is one server-sent event.
type Event struct {
	ID   string
	Name string
	Data string
}

// Stream is an open stream of an AI answer.
type Stream struct {
	Response *http.Response

	t      testing.TB
	lines  *bufio.Reader
	cancel context.CancelFunc
}

// OpenStream requests the answer to a ticket. lastEventID may be empty. The response may be a problem.
func (u *User) OpenStream(t testing.TB, ticketID uuid.UUID, lastEventID string) *Stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	response, err := u.ClientInterface.StreamAIResponse(ctx, ticketID, &plain.StreamAIResponseParams{
		LastEventID: lastEventID,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return &Stream{Response: response, t: t, lines: bufio.NewReader(response.Body), cancel: cancel}
}

// OpenEvents streams the events after one, or all if it is empty. The response must be a stream.
func (u *User) OpenEvents(t testing.TB, lastEventID string) *Stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	response, err := u.ClientInterface.StreamEvents(ctx, &plain.StreamEventsParams{LastEventID: lastEventID})
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	s := &Stream{Response: response, t: t, lines: bufio.NewReader(response.Body), cancel: cancel}
	s.RequireOK()
	return s
}

// Stream requests the answer to a ticket. The response must be a stream.
func (u *User) Stream(t testing.TB, ticketID uuid.UUID) *Stream {
	t.Helper()
	s := u.OpenStream(t, ticketID, "")
	s.RequireOK()
	return s
}

// RequireOK checks that the response is a stream.
func (s *Stream) RequireOK() {
	s.t.Helper()
	if s.Response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(s.Response.Body)
		require.FailNow(s.t, "no stream", "%d %s", s.Response.StatusCode, body)
	}
	require.Equal(s.t, "text/event-stream; charset=utf-8", s.Response.Header.Get("Content-Type"))
}

// RequireProblem checks that the response is a problem instead of a stream.
func (s *Stream) RequireProblem(status int, code client.ProblemCode) plain.Problem {
	s.t.Helper()
	body, err := io.ReadAll(s.Response.Body)
	require.NoError(s.t, err)
	return RequireProblem(s.t, s.Response.StatusCode, body, status, code)
}

// Next returns the next event, and false at the end of the stream. It skips comments and the retry line.
func (s *Stream) Next() (Event, bool) {
	s.t.Helper()
	var event Event
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			require.ErrorIs(s.t, err, io.EOF)
			require.Empty(s.t, line, "the stream broke off within a line")
			return Event{}, false
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "id":
			event.ID = value
		case "event":
			event.Name = value
		case "data":
			require.Empty(s.t, event.Data, "data is one line")
			event.Data = value
		case "":
			if event.Data != "" {
				return event, true
			}
		}
	}
}

// Close disconnects.
func (s *Stream) Close() {
	s.cancel()
	_ = s.Response.Body.Close()
}

// Answer is what a reader has at the end of a stream.
type Answer struct {
	Events []Event
	// Text is the joined deltas since the last reset.
	Text string
	Done *plain.DoneEvent
	// Failed is the event that ended a failed answer.
	Failed *plain.FailedEvent
}

// ReadAll reads the stream to its end, which must be exactly one done or failed event.
func (s *Stream) ReadAll() Answer {
	s.t.Helper()
	var a Answer
	for {
		event, more := s.Next()
		if !more {
			break
		}
		require.True(s.t, a.Done == nil && a.Failed == nil, "an event after the last one")
		a.add(s.t, event)
	}
	require.True(s.t, a.Done != nil || a.Failed != nil, "the stream has no end: %v", a.Events)
	return a
}

func (a *Answer) add(t testing.TB, event Event) {
	t.Helper()
	a.Events = append(a.Events, event)
	require.Equal(t, event.Name == "start", event.ID == "", "every event but start has an id")
	switch event.Name {
	case "":
		a.Text += decodeEvent[plain.DeltaEvent](t, event).Content
	case "reset":
		a.Text = ""
	case "done":
		done := decodeEvent[plain.DoneEvent](t, event)
		a.Done = &done
	case "failed":
		failed := decodeEvent[plain.FailedEvent](t, event)
		a.Failed = &failed
	}
}

func decodeEvent[T any](t testing.TB, event Event) T {
	t.Helper()
	var data T
	require.NoError(t, json.Unmarshal([]byte(event.Data), &data), "%s", event.Data)
	return data
}
