package apitest

import (
	"bufio"
	"context"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
)

// Ask requests an answer to the ticket's turn and does not wait for it. The response may be a problem.
func (u *User) Ask(t testing.TB, ticketID uuid.UUID, r client.CreateAIResponseRequest) *plain.CreateAIResponseResponse {
	t.Helper()
	asked, err := u.CreateAIResponseWithResponse(t.Context(), ticketID, nil, r)
	require.NoError(t, err)
	return asked
}

// Begin requests an answer, and fails the test unless this request starts it.
func (u *User) Begin(t testing.TB, ticketID uuid.UUID) client.AIResponse {
	t.Helper()
	return u.begin(t, ticketID, client.CreateAIResponseRequest{})
}

// Regenerate requests another answer to an answered turn, and fails the test unless this request starts it.
func (u *User) Regenerate(t testing.TB, ticketID uuid.UUID) client.AIResponse {
	t.Helper()
	return u.begin(t, ticketID, client.CreateAIResponseRequest{Regenerate: true})
}

func (u *User) begin(t testing.TB, ticketID uuid.UUID, r client.CreateAIResponseRequest) client.AIResponse {
	t.Helper()
	asked := u.Ask(t, ticketID, r)
	require.Equal(t, http.StatusCreated, asked.StatusCode(), "%s", asked.Body)
	require.Equal(t, "/ai-responses/"+asked.JSON201.ID.String(), asked.HTTPResponse.Header.Get("Location"))
	return *asked.JSON201
}

// AIResponse returns the current state of an AI response.
func (u *User) AIResponse(t testing.TB, id uuid.UUID) client.AIResponse {
	t.Helper()
	got, err := u.GetAIResponseWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.StatusCode(), "%s", got.Body)
	return *got.JSON200
}

// CancelAIResponse cancels an AI response and returns its state afterwards.
func (u *User) CancelAIResponse(t testing.TB, id uuid.UUID) client.AIResponse {
	t.Helper()
	cancelled, err := u.CancelAIResponseWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, cancelled.StatusCode(), "%s", cancelled.Body)
	return *cancelled.JSON202
}

// OpenAIResponse opens the stream of one AI response. lastEventID may be empty. The response may be a problem.
func (u *User) OpenAIResponse(t testing.TB, id uuid.UUID, lastEventID string) *Stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	response, err := u.ClientInterface.StreamAIResponseByID(ctx, id, &plain.StreamAIResponseByIDParams{
		LastEventID: lastEventID,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return &Stream{Response: response, t: t, lines: bufio.NewReader(response.Body), cancel: cancel}
}

// ReadAIResponse reads one AI response to its end.
func (u *User) ReadAIResponse(t testing.TB, id uuid.UUID) Answer {
	t.Helper()
	s := u.OpenAIResponse(t, id, "")
	s.RequireOK()
	return s.ReadAll()
}

// Poll returns the events of an AI response after one of them. It waits for up to wait seconds.
func (u *User) Poll(t testing.TB, id uuid.UUID, after int64, wait int32) client.AIResponseEvents {
	t.Helper()
	polled, err := u.ListAIResponseEventsWithResponse(t.Context(), id, &plain.ListAIResponseEventsParams{
		After: &after, Wait: &wait,
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, polled.StatusCode(), "%s", polled.Body)
	return *polled.JSON200
}
