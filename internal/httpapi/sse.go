package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
)

const (
	heartbeatInterval = 15 * time.Second
	// sseWriteTimeout is how long one write may take before its reader is given up.
	sseWriteTimeout = 10 * time.Second
	// sseRetry is what a browser waits before it reconnects.
	sseRetry = 2 * time.Second
	// minComeBack and maxComeBack bound what a reader waits that is sent to another process.
	minComeBack = 500 * time.Millisecond
	maxComeBack = 3 * time.Second
)

// aiResponseStream is the response of the operations that stream. In contrast to the generated one it sends its headers at once,
// needs no copy of the stream, and gives every write a deadline of its own.
type aiResponseStream struct {
	// ctx is the request's: the generated interface has no place for it.
	ctx    context.Context
	reader *assistant.Reader
	// leave says that the stream has ended.
	leave func()
}

// VisitStreamAIResponseResponse is what the generated code calls for streamAIResponse.
func (s aiResponseStream) VisitStreamAIResponseResponse(w http.ResponseWriter) error {
	return s.writeTo(w)
}

// VisitStreamAIResponseByIDResponse is what the generated code calls for streamAIResponseByID.
func (s aiResponseStream) VisitStreamAIResponseByIDResponse(w http.ResponseWriter) error {
	return s.writeTo(w)
}

// writeTo writes events until the last one, or until the client is gone.
func (s aiResponseStream) writeTo(w http.ResponseWriter) error {
	defer s.leave()
	defer s.reader.Close()
	ctx, stop := whileAllowed(s.ctx)
	defer stop()
	stream := newEventStream(w)
	if err := apart(stream.open); err != nil {
		return err
	}
	ended := false
	for {
		waiting, cancel := context.WithTimeout(ctx, heartbeatInterval)
		entry, err := s.next(waiting)
		cancel()
		switch {
		case errors.Is(err, io.EOF) && !ended:
			return stream.comeBack()
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(context.Cause(ctx), errWithdrawn):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			err = stream.write([]byte(": keep-alive\n\n"))
		case err == nil:
			ended = eventlog.IsEnd(entry.Event)
			err = stream.write(entry.Frame)
		}
		if err != nil {
			return err
		}
	}
}

// next returns the next event.
func (s aiResponseStream) next(ctx context.Context) (entry eventlog.Entry, err error) {
	if !s.reader.Opening() {
		return s.reader.Next(ctx)
	}
	err = apart(func() (err error) {
		entry, err = s.reader.Next(ctx)
		return err
	})
	return entry, err
}

// apart calls fn in a goroutine of its own and waits for it. A stack that has grown does not shrink again while a handler
// waits on it, and readers wait long. What calls deep at the beginning of a stream is done apart, which leaves a reader
// with half the stack.
func apart(fn func() error) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if fault := recover(); fault != nil {
				err = fmt.Errorf("httpapi: panic before a stream: %v\n%s", fault, debug.Stack())
			}
		}()
		err = fn()
	}()
	<-done
	return err
}

// eventStream writes server-sent events (HTML Living Standard, section 9.2).
type eventStream struct {
	w          http.ResponseWriter
	controller *http.ResponseController
}

func newEventStream(w http.ResponseWriter) *eventStream {
	return &eventStream{w: w, controller: http.NewResponseController(w)}
}

// open sends the headers.
func (s *eventStream) open() error {
	header := s.w.Header()
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back.
	s.w.WriteHeader(http.StatusOK)
	return s.write(fmt.Appendf(nil, "retry: %d\n: open\n\n", sseRetry.Milliseconds()))
}

// comeBack ends a stream whose answer goes on in another process. The readers do not all return at once.
func (s *eventStream) comeBack() error {
	retry := minComeBack + rand.N(maxComeBack-minComeBack) //nolint:gosec // Jitter needs no secrecy.
	return s.write(fmt.Appendf(nil, "retry: %d\n\n", retry.Milliseconds()))
}

// EncodeEvent returns the frame that an event is on the wire, which all its readers share. Its data is one line, because
// JSON strings have no raw line breaks.
func EncodeEvent(e eventlog.Event) []byte {
	switch e := e.(type) {
	case eventlog.Start:
		return frame("start", nil, toStartEvent(e))
	case eventlog.Delta:
		return frame("", &e.ID, toDeltaEvent(e))
	case eventlog.Reset:
		return frame("reset", &e.ID, toResetEvent(e))
	case eventlog.Done:
		return frame("done", &e.ID, toDoneEvent(e))
	case eventlog.Failed:
		return frame("failed", &e.ID, toFailedEvent(e))
	default:
		return nil
	}
}

func frame(name string, id *eventlog.EventID, data any) []byte {
	var b bytes.Buffer
	if id != nil {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	if name != "" {
		fmt.Fprintf(&b, "event: %s\n", name)
	}
	encoded, _ := encodeJSON(data) // The events' types have nothing that cannot be encoded.
	fmt.Fprintf(&b, "data: %s\n\n", encoded)
	return b.Bytes()
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
