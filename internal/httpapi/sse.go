package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
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
	// ctx is the request's, and from begin on that of whileAllowed: the generated interface has no place for it.
	ctx    context.Context
	reader *assistant.Reader
	// unanswered tells why there is no reader: the AI does not answer this message.
	unanswered *apperr.Error
	encoder    uistream.Encoder
	permits    *permits
	// leave means that the stream has ended.
	leave func()
	// stop ends ctx.
	stop   func()
	frames *eventStream
	// ended means that the last event was sent.
	ended bool
}

var _ stream = (*aiResponseStream)(nil)

// begin sends the headers and the events that are there.
func (s *aiResponseStream) begin(w http.ResponseWriter) error {
	s.frames = newEventStream(w)
	s.encoder.SetHeader(w.Header())
	opened := s.frames.open(s.encoder.Begin())
	if s.reader == nil {
		s.ended = true
		return errors.Join(opened, s.frames.write(s.encoder.Unanswered(s.unanswered)))
	}
	s.ctx, s.stop = s.permits.whileAllowed(s.ctx)
	if opened != nil {
		return opened
	}
	return s.sendReady()
}

// follow sends events until the last one, or until the client is gone.
func (s *aiResponseStream) follow() error {
	heartbeat := time.NewTimer(heartbeatInterval)
	defer heartbeat.Stop()
	for !s.ended {
		wait := untilHeartbeat(time.Now())
		heartbeat.Reset(wait)
		err := s.wait(wait, heartbeat)
		if err == nil && s.ctx.Err() == nil {
			err = s.sendReady()
		} else {
			err = s.interrupted(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wait waits until the reader has an event, and returns an error when it is time for a heartbeat.
func (s *aiResponseStream) wait(wait time.Duration, heartbeat *time.Timer) error {
	if s.reader.Opening() {
		return s.open(wait)
	}
	return s.reader.Wait(s.ctx, heartbeat.C)
}

// open waits until the reader has found its first event.
func (s *aiResponseStream) open(wait time.Duration) error {
	ctx, cancel := context.WithTimeout(s.ctx, wait)
	defer cancel()
	return onFreshStack(func() error { return s.reader.Open(ctx) })
}

// sendReady sends the events that are there, together.
func (s *aiResponseStream) sendReady() error {
	for s.reader.Ready() {
		entry, err := s.reader.Next(s.ctx)
		if err != nil {
			return err
		}
		s.ended = eventlog.IsEnd(entry.Event)
		if err := s.frames.add(s.encoder.Frame(entry)); err != nil {
			return err
		}
	}
	return s.frames.flush()
}

// interrupted sends what a reader is told instead of an event, after an error of wait.
func (s *aiResponseStream) interrupted(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		s.ended = true
		return s.frames.write(s.encoder.BrokenOff(errMoved()))
	case errors.Is(context.Cause(s.ctx), errWithdrawn):
		s.ended = true
		return s.frames.write(s.encoder.BrokenOff(errWithdrawnProblem()))
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case errors.Is(err, eventlog.ErrQuiet), errors.Is(err, context.DeadlineExceeded):
		return s.frames.write([]byte(": keep-alive\n\n"))
	default:
		return err
	}
}

// close releases the events.
func (s *aiResponseStream) close() {
	if s.reader != nil {
		s.reader.Close()
	}
	if s.stop != nil {
		s.stop()
	}
	s.leave()
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

// eventStream writes server-sent events (HTML Living Standard, section 9.2).
type eventStream struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	// unsent means that something has been added since the last flush.
	unsent bool
}

func newEventStream(w http.ResponseWriter) *eventStream {
	return &eventStream{w: w, controller: http.NewResponseController(w)}
}

// open adds the headers and the first bytes.
func (s *eventStream) open(begin []byte) error {
	setUnbuffered(s.w.Header())
	s.w.WriteHeader(http.StatusOK)
	return s.add(begin)
}

// nativeEncoder is the product's own wire format. All readers of an answer share its frames.
type nativeEncoder struct{}

var _ uistream.Encoder = nativeEncoder{}

// SetHeader sets the headers of a stream.
func (nativeEncoder) SetHeader(header http.Header) {
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
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
	if err := s.controller.SetWriteDeadline(time.Now().Add(sseWriteTimeout)); err != nil {
		return fmt.Errorf("httpapi: set the write deadline: %w", err)
	}
	_, err := s.w.Write(frame)
	s.unsent = true
	return err
}

// flush sends what was added.
func (s *eventStream) flush() error {
	if !s.unsent {
		return nil
	}
	s.unsent = false
	return s.controller.Flush()
}

// The generated code calls these for the operations that stream.

// VisitStreamAIResponseResponse is for streamAIResponse.
func (s *aiResponseStream) VisitStreamAIResponseResponse(http.ResponseWriter) error {
	return handOver(s.ctx, s)
}

// VisitStreamAIResponseByIDResponse is for streamAIResponseByID.
func (s *aiResponseStream) VisitStreamAIResponseByIDResponse(http.ResponseWriter) error {
	return handOver(s.ctx, s)
}

// VisitSendUIMessageResponse is for sendUIMessage.
func (s *aiResponseStream) VisitSendUIMessageResponse(http.ResponseWriter) error {
	return handOver(s.ctx, s)
}

// VisitSendUIMessageV7Response is for sendUIMessageV7.
func (s *aiResponseStream) VisitSendUIMessageV7Response(http.ResponseWriter) error {
	return handOver(s.ctx, s)
}

// VisitResumeUIStreamResponse is for resumeUIStream.
func (s *aiResponseStream) VisitResumeUIStreamResponse(http.ResponseWriter) error {
	return handOver(s.ctx, s)
}

// VisitResumeUIStreamV7Response is for resumeUIStreamV7.
func (s *aiResponseStream) VisitResumeUIStreamV7Response(http.ResponseWriter) error {
	return handOver(s.ctx, s)
}

// VisitRunAGUIResponse is for runAGUI.
func (s *aiResponseStream) VisitRunAGUIResponse(http.ResponseWriter) error {
	return handOver(s.ctx, s)
}
