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

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/httpapi/uistream"
)

const (
	heartbeatInterval = 15 * time.Second
	// Heartbeats are aligned to heartbeatTick: waking many readers together costs less than waking each alone.
	heartbeatTick = 500 * time.Millisecond
	// sseWriteTimeout is how long one write may take before the server gives up on the reader.
	sseWriteTimeout = 10 * time.Second
	// sseRetry is how long a browser waits before it reconnects.
	sseRetry = 2 * time.Second
	// minComeBack and maxComeBack bound how long a reader waits before it reconnects to another process.
	minComeBack = 500 * time.Millisecond
	maxComeBack = 3 * time.Second
)

// aiResponseStream is the response of the operations that stream. Unlike the generated one, it sends its headers at
// once, does not copy the stream, and gives every write its own deadline.
type aiResponseStream struct {
	// ctx is the request's: the generated interface has no place for it.
	ctx    context.Context
	reader *assistant.Reader
	// unanswered tells why there is no reader: the AI does not answer this message.
	unanswered *apperr.Error
	encoder    uistream.Encoder
	permits    *permits
	// leave means that the stream has ended.
	leave func()
}

// writeTo writes events until the last one, or until the client is gone.
func (s aiResponseStream) writeTo(w http.ResponseWriter) error {
	defer s.leave()
	stream := newEventStream(w)
	s.encoder.SetHeader(w.Header())
	opened := stream.open(s.encoder.Begin())
	if s.reader == nil {
		return errors.Join(opened, stream.write(s.encoder.Unanswered(s.unanswered)))
	}
	defer s.reader.Close()
	ctx, stop := s.permits.whileAllowed(s.ctx)
	defer stop()
	if opened == nil && !s.reader.Ready() {
		opened = stream.flush()
	}
	if opened != nil {
		return opened
	}
	ended := false
	heartbeat := time.NewTimer(heartbeatInterval)
	defer heartbeat.Stop()
	for {
		wait := untilHeartbeat(time.Now())
		heartbeat.Reset(wait)
		entry, err := s.next(ctx, wait, heartbeat)
		switch {
		case errors.Is(err, io.EOF) && !ended:
			return stream.write(s.encoder.BrokenOff(errMoved()))
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(context.Cause(ctx), errWithdrawn):
			return stream.write(s.encoder.BrokenOff(errWithdrawnProblem()))
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, eventlog.ErrQuiet), errors.Is(err, context.DeadlineExceeded):
			err = stream.write([]byte(": keep-alive\n\n"))
		case err == nil:
			ended = eventlog.IsEnd(entry.Event)
			// What is there already is sent together.
			if err = stream.add(s.encoder.Frame(entry)); err == nil && !s.reader.Ready() {
				err = stream.flush()
			}
		}
		if err != nil {
			return err
		}
	}
}

// untilHeartbeat is how long a reader who has just been sent something may hear nothing.
func untilHeartbeat(now time.Time) time.Duration {
	return now.Add(heartbeatInterval).Truncate(heartbeatTick).Sub(now)
}

// errMoved ends a stream whose answer continues in another process.
func errMoved() *apperr.Error {
	return apperr.New(apperr.Draining, "Another server continues the answer. Resume the stream.")
}

// errWithdrawnProblem ends a stream that its reader is no longer allowed to read.
func errWithdrawnProblem() *apperr.Error {
	return apperr.New(apperr.InvalidToken, "The session has ended or the account has changed.")
}

// next returns the next event, or an error when it is time for a heartbeat.
func (s aiResponseStream) next(ctx context.Context, wait time.Duration, heartbeat *time.Timer) (entry eventlog.Entry, err error) {
	if !s.reader.Opening() {
		return s.reader.NextWithin(ctx, heartbeat.C)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err = onFreshStack(func() (err error) {
		entry, err = s.reader.Next(ctx)
		return err
	})
	return entry, err
}

// onFreshStack calls fn in its own goroutine and waits for it. A stack that has grown does not shrink while a handler waits,
// and readers wait for a long time. Running the deep calls at the beginning of a stream in another goroutine halves a
// reader's stack.
func onFreshStack(fn func() error) (err error) {
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
	// unsent is how many bytes have been added since the last flush, and begun means that the headers were flushed.
	unsent int
	begun  bool
}

// maxUnsent bounds what is sent together with the headers. Sending takes a deep stack, and net/http sends 2 KiB and more by
// itself.
const maxUnsent = 1500

func newEventStream(w http.ResponseWriter) *eventStream {
	return &eventStream{w: w, controller: http.NewResponseController(w)}
}

// open adds the headers and the first bytes.
func (s *eventStream) open(begin []byte) error {
	s.w.WriteHeader(http.StatusOK)
	return s.add(begin)
}

// nativeEncoder is the product's own wire format. All readers of an answer share its frames.
type nativeEncoder struct{}

var _ uistream.Encoder = nativeEncoder{}

// SetHeader sets the headers of a stream.
func (nativeEncoder) SetHeader(header http.Header) {
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would buffer events.
}

// Begin returns the reconnection time and a comment.
func (nativeEncoder) Begin() []byte {
	return fmt.Appendf(nil, "retry: %d\n: open\n\n", sseRetry.Milliseconds())
}

// Frame returns the frame that all readers share.
func (nativeEncoder) Frame(entry eventlog.Entry) []byte { return entry.Frame }

// Unanswered returns nothing: such a request gets a status instead.
func (nativeEncoder) Unanswered(*apperr.Error) []byte { return nil }

// BrokenOff returns the reconnection time, which is random so that readers do not all return at once. A reader without
// permission gets a status then.
func (nativeEncoder) BrokenOff(*apperr.Error) []byte {
	retry := minComeBack + rand.N(maxComeBack-minComeBack) //nolint:gosec // Jitter needs no secrecy.
	return fmt.Appendf(nil, "retry: %d\n\n", retry.Milliseconds())
}

// EncodeEvent returns an event's frame on the wire, which all readers share. Its data is one line, because JSON strings
// have no raw line breaks.
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
	case eventlog.Ready:
		return frame("ready", &e.ID, toReadyEvent(e))
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
	encoded, _ := encodeJSON(data) // Every field of the events has a JSON form.
	fmt.Fprintf(&b, "data: %s\n\n", encoded)
	return b.Bytes()
}

// write sends a frame at once, if there is one.
func (s *eventStream) write(frame []byte) error {
	if err := s.add(frame); err != nil {
		return err
	}
	return s.flush()
}

// add sends a frame with the next flush or earlier, if there is one. Each frame sets its own deadline, because the server's
// is for whole responses.
func (s *eventStream) add(frame []byte) error {
	if len(frame) == 0 {
		return nil
	}
	if !s.begun && s.unsent+len(frame) > maxUnsent {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if err := s.controller.SetWriteDeadline(time.Now().Add(sseWriteTimeout)); err != nil {
		return fmt.Errorf("httpapi: set the write deadline: %w", err)
	}
	_, err := s.w.Write(frame)
	s.unsent += len(frame)
	return err
}

// flush sends what was added.
func (s *eventStream) flush() error {
	if s.unsent == 0 {
		return nil
	}
	s.unsent = 0
	if !s.begun {
		s.begun = true
		return onFreshStack(s.controller.Flush)
	}
	return s.controller.Flush()
}

// The generated code calls these for the operations that stream.

// VisitStreamAIResponseResponse is for streamAIResponse.
func (s aiResponseStream) VisitStreamAIResponseResponse(w http.ResponseWriter) error {
	return s.writeTo(w)
}

// VisitStreamAIResponseByIDResponse is for streamAIResponseByID.
func (s aiResponseStream) VisitStreamAIResponseByIDResponse(w http.ResponseWriter) error {
	return s.writeTo(w)
}

// VisitSendUIMessageResponse is for sendUIMessage.
func (s aiResponseStream) VisitSendUIMessageResponse(w http.ResponseWriter) error {
	return s.writeTo(w)
}

// VisitSendUIMessageV7Response is for sendUIMessageV7.
func (s aiResponseStream) VisitSendUIMessageV7Response(w http.ResponseWriter) error {
	return s.writeTo(w)
}

// VisitResumeUIStreamResponse is for resumeUIStream.
func (s aiResponseStream) VisitResumeUIStreamResponse(w http.ResponseWriter) error {
	return s.writeTo(w)
}

// VisitResumeUIStreamV7Response is for resumeUIStreamV7.
func (s aiResponseStream) VisitResumeUIStreamV7Response(w http.ResponseWriter) error {
	return s.writeTo(w)
}

// VisitRunAGUIResponse is for runAGUI.
func (s aiResponseStream) VisitRunAGUIResponse(w http.ResponseWriter) error { return s.writeTo(w) }
