package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/supportbackend/support/internal/assistant"
)

const (
	heartbeatInterval = 15 * time.Second
	// sseWriteTimeout is how long one write may take before its reader is given up.
	sseWriteTimeout = 10 * time.Second
	// sseRetry is what a browser waits before it reconnects.
	sseRetry = 2 * time.Second
)

// aiResponseStream is the response of streamAIResponse. In contrast to the generated one it sends its headers at once,
// needs no copy of the stream, and gives every write a deadline of its own.
type aiResponseStream struct {
	// ctx is the request's: the generated interface has no place for it.
	ctx    context.Context
	reader *assistant.Reader
}

// VisitStreamAIResponseResponse writes events until the last one, or until the client is gone.
func (s aiResponseStream) VisitStreamAIResponseResponse(w http.ResponseWriter) error {
	stream, err := openEventStream(w)
	if err != nil {
		return err
	}
	for {
		waiting, cancel := context.WithTimeout(s.ctx, heartbeatInterval)
		event, err := s.reader.Next(waiting)
		cancel()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case s.ctx.Err() != nil:
			return s.ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			err = stream.write([]byte(": keep-alive\n\n"))
		case err == nil:
			err = stream.send(event)
		}
		if err != nil {
			return err
		}
	}
}

// eventStream writes server-sent events (HTML Living Standard, section 9.2).
type eventStream struct {
	w          http.ResponseWriter
	controller *http.ResponseController
}

func openEventStream(w http.ResponseWriter) (*eventStream, error) {
	header := w.Header()
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back.
	w.WriteHeader(http.StatusOK)
	stream := &eventStream{w: w, controller: http.NewResponseController(w)}
	err := stream.write(fmt.Appendf(nil, "retry: %d\n\n", sseRetry.Milliseconds()))
	return stream, err
}

// send writes an event. Its data is one line, because JSON strings have no raw line breaks.
func (s *eventStream) send(e assistant.Event) error {
	switch e := e.(type) {
	case assistant.Start:
		return s.event("start", nil, toStartEvent(e))
	case assistant.Delta:
		return s.event("", &e.ID, toDeltaEvent(e))
	case assistant.Reset:
		return s.event("reset", &e.ID, toResetEvent(e))
	case assistant.Done:
		return s.event("done", &e.ID, toDoneEvent(e))
	case assistant.Failed:
		return s.event("failed", &e.ID, toFailedEvent(e))
	default:
		return fmt.Errorf("httpapi: no wire form for event %T", e)
	}
}

func (s *eventStream) event(name string, id *assistant.EventID, data any) error {
	var frame bytes.Buffer
	if id != nil {
		fmt.Fprintf(&frame, "id: %s\n", id)
	}
	if name != "" {
		fmt.Fprintf(&frame, "event: %s\n", name)
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("httpapi: encode an event: %w", err)
	}
	fmt.Fprintf(&frame, "data: %s\n\n", encoded)
	return s.write(frame.Bytes())
}

// write sends the frame at once. The server's own deadline is for whole responses, so each write sets its own.
func (s *eventStream) write(frame []byte) error {
	if err := s.controller.SetWriteDeadline(time.Now().Add(sseWriteTimeout)); err != nil {
		return fmt.Errorf("httpapi: set the write deadline: %w", err)
	}
	if _, err := s.w.Write(frame); err != nil {
		return err
	}
	return s.controller.Flush()
}
