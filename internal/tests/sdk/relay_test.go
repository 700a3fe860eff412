package sdktest_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/desk"
)

func TestRelayForwardsTheStreamUnchanged(t *testing.T) {
	t.Parallel()
	// An unknown member, and a time with all its digits.
	done := frame(2, "done", `{"type":"done","later":[1],"message":{"created_at":"2026-11-22T09:31:16.402100Z"}}`)
	support := newSupport(t, func(*http.Request) (*http.Response, error) {
		return streamOf(strings.NewReader("retry: 100\n\n" + delta(1, "Grüß <b>\n") + ": a comment\n\n" + done)), nil
	})
	w := httptest.NewRecorder()
	require.NoError(t, client.Relay(w, support.StreamAIResponse(t.Context(), ticketID)))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "text/event-stream", w.Header().Get("Content-Type"))
	require.Equal(t, "no-cache, no-transform", w.Header().Get("Cache-Control"))
	require.Equal(t, delta(1, "Grüß <b>\n")+done, w.Body.String())
	require.True(t, w.Flushed)
}

func TestRelayEncodesEventsOfTheCaller(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	require.NoError(t, client.Relay(w, events(
		client.Delta{EventID: "a:1", Type: "delta", Content: "Hello"}, client.Reset{EventID: "a:2", Type: "reset", Attempt: 2},
	)))
	require.Equal(t, "id: a:1\ndata: {\"type\":\"delta\",\"content\":\"Hello\"}\n\n"+
		"id: a:2\nevent: reset\ndata: {\"type\":\"reset\",\"attempt\":2}\n\n", w.Body.String())
}

func events(all ...client.Event) iter.Seq2[client.Event, error] {
	return func(yield func(client.Event, error) bool) {
		for _, event := range all {
			if !yield(event, nil) {
				return
			}
		}
	}
}

func TestRelayWritesNothingWhenTheFirstEventIsAnError(t *testing.T) {
	t.Parallel()
	support := newSupport(t, func(*http.Request) (*http.Response, error) {
		return problemOf(http.StatusNotFound, client.ProblemCodeNotFound), nil
	}, client.WithRetries(0))
	w := httptest.NewRecorder()
	err := client.Relay(w, support.StreamAIResponse(t.Context(), ticketID))
	require.True(t, client.IsProblem(err, client.ProblemCodeNotFound), "%v", err)
	require.Empty(t, w.Body.String())
	require.Empty(t, w.Header())
}

func TestRelayWithoutEventsStopsAnEventSource(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	require.NoError(t, client.Relay(w, events()))
	require.Equal(t, http.StatusNoContent, w.Code)
}

func TestRelaySendsCommentsWhileItWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		err := client.Relay(w, func(yield func(client.Event, error) bool) {
			yield(client.Delta{Type: "delta", Content: "Hello"}, nil)
			<-time.After(50 * time.Second)
			yield(nil, errors.New("the stream was cut"))
		})
		require.NoError(t, err)
		require.Equal(t, "data: {\"type\":\"delta\",\"content\":\"Hello\"}\n\n:\n\n:\n\n:\n\n", w.Body.String())
	})
}

func TestRelayBeginsWithACommentWhenTheFirstEventTakesLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		err := client.Relay(w, func(yield func(client.Event, error) bool) {
			<-time.After(20 * time.Second)
			synctest.Wait() // The recorder is Relay's until it waits.
			require.Equal(t, ":\n\n", w.Body.String())
			yield(client.Delta{Type: "delta", Content: "Hello"}, nil)
		})
		require.NoError(t, err)
		require.Equal(t, ":\n\ndata: {\"type\":\"delta\",\"content\":\"Hello\"}\n\n", w.Body.String())
	})
}

// TestBrowserResumesARelayedStream reconnects a browser to a back end after every event.
func TestBrowserResumesARelayedStream(t *testing.T) {
	t.Parallel()
	server := desk.New(t, desk.Options{})
	user := server.Customer(t)
	ticket := user.NewTicket(t)
	support := connect(t, server, client.WithToken(user.Token))
	answer, err := client.AnswerOf(support.StreamAIResponse(t.Context(), ticket.ID))
	require.NoError(t, err)

	backEnd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Each connection ends after one event.
		stream := support.StreamAIResponse(r.Context(), ticket.ID, client.WithLastEventID(r.Header.Get("Last-Event-ID")))
		if err := client.Relay(w, upToOneDelta(stream)); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	}))
	defer backEnd.Close()

	var text strings.Builder
	var stored string
	last := ""
	for range 1000 {
		page := connectTo(t, backEnd.URL, last)
		if page == nil {
			break
		}
		for event, err := range page {
			require.NoError(t, err)
			switch event := event.(type) {
			case client.Delta:
				text.WriteString(event.Content)
			case client.Done:
				stored = event.Message.Content
			}
			last = event.ID()
		}
	}
	require.Equal(t, answer.Content, stored)
	require.Equal(t, stored, text.String())
}

// upToOneDelta ends a stream after the first event with an id.
func upToOneDelta(stream iter.Seq2[client.Event, error]) iter.Seq2[client.Event, error] {
	return func(yield func(client.Event, error) bool) {
		for event, err := range stream {
			if !yield(event, err) || err != nil || event.ID() != "" {
				return
			}
		}
	}
}

// connectTo reads one connection of a browser, or returns nil when the response is 204.
func connectTo(t *testing.T, url, lastEventID string) iter.Seq2[client.Event, error] {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusNoContent {
		return nil
	}
	require.Equal(t, http.StatusOK, response.StatusCode)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return func(yield func(client.Event, error) bool) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		served := false
		reader := newSupport(t, func(*http.Request) (*http.Response, error) {
			if served {
				return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
			}
			served = true
			return streamOf(strings.NewReader("retry: 1\n\n" + string(body))), nil
		})
		for event, err := range reader.StreamAIResponse(ctx, ticketID) {
			if _, isStart := event.(client.Start); !isStart && !yield(event, err) {
				return
			}
		}
	}
}
