package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"time"

	"github.com/supportbackend/support/gen/client/plain"
)

const (
	// defaultComeBack is the pause before a stream is resumed, unless the server sets one.
	defaultComeBack = time.Second
	// maxFruitless is how many times in a row the SDK resumes a stream without receiving an event.
	maxFruitless = 10
	// maxSilence is how long a stream may be silent before the SDK reconnects. The server sends a comment every 15
	// seconds.
	maxSilence = 45 * time.Second

	lastEventID = "Last-Event-ID"
)

// AnswerOf reads a stream, such as that of StreamAIResponse, to its end, and returns the stored message. If the answer
// ends without a message, the error is the last event: a [Failed], or the [Ready] of a text for staff.
func AnswerOf(events iter.Seq2[Event, error]) (*plain.Message, error) {
	for event, err := range events {
		if err != nil {
			return nil, err
		}
		switch event := event.(type) {
		case Done:
			return &event.Message, nil
		case Failed:
			return nil, event
		case Ready:
			return nil, event
		}
	}
	return nil, ErrNoAnswer
}

// stream iterates over the events of a stream, and resumes it when it is cut off.
func (s *Support) stream(
	ctx context.Context, o operation, options []CallOption, build func(server string) (*http.Request, error),
) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		request, err := s.request(ctx, o, choose(options), build)
		if err != nil {
			yield(nil, err)
			return
		}
		request.Header.Set("Accept", "text/event-stream")
		r := &streamReader{support: s, operation: o, request: request, yield: yield, comeBack: defaultComeBack}
		r.response, r.lastSeq, _ = splitEventID(request.Header.Get(lastEventID))
		if err := r.run(ctx); err != nil {
			yield(nil, err)
		}
	}
}

var (
	// errEnd ends the loop: the stream is complete, or its reader has stopped.
	errEnd    = errors.New("support: the end of the stream")
	errSilent = errors.New("support: the stream has fallen silent")
)

// streamReader is the state of reading one stream, over all its connections.
type streamReader struct {
	support   *Support
	operation operation
	request   *http.Request
	yield     func(Event, error) bool

	opened    bool
	comeBack  time.Duration
	fruitless int // retries of the first request, then consecutive resumptions without an event

	response string // the AI response of lastSeq
	lastSeq  uint64
	started  plain.ID // the AI response of the last Start
}

// run reads to the end. It returns an error unless the stream ended properly.
func (r *streamReader) run(ctx context.Context) error {
	for {
		err := r.connect(ctx)
		limit, pause, mayContinue := r.support.retries, firstPause, mayHelp
		if r.opened {
			limit, pause, mayContinue = maxFruitless, r.comeBack, mayPass
		}
		switch {
		case errors.Is(err, errEnd):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case r.fruitless == limit || !mayContinue(ctx, err):
			return err
		}
		if err := wait(ctx, max(lengthen(pause, r.fruitless), pauseOf(err))); err != nil {
			return err
		}
		r.fruitless++
	}
}

// connect reads one connection to its end.
func (r *streamReader) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(maxSilence, func() { cancel(errSilent) })
	defer silence.Stop()
	err := r.read(ctx, silence)
	if errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	}
	return err
}

func (r *streamReader) read(ctx context.Context, silence *time.Timer) error {
	response, err := r.support.exchange(ctx, r.operation, r.request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if !r.opened {
		r.opened, r.fruitless = true, 0
	}
	if response.StatusCode == http.StatusNoContent {
		return errEnd
	}
	if mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); mediaType != "text/event-stream" {
		return fmt.Errorf("%w: expected an event stream, received %q", ErrProtocol, mediaType)
	}
	decoder := newEventDecoder(watched{response.Body, silence})
	for {
		event, err := decoder.next()
		if decoder.retry != nil {
			r.comeBack = *decoder.retry
		}
		if err != nil {
			return fmt.Errorf("support: the connection of the stream was lost: %w", err)
		}
		if err := r.deliver(event); err != nil {
			return err
		}
	}
}

// deliver yields an event unless it has been yielded before.
func (r *streamReader) deliver(f frame) error {
	response, seq, isNumbered := splitEventID(f.id)
	if isNumbered && seq > 0 && response == r.response && seq <= r.lastSeq {
		return nil
	}
	event, err := decodeEvent(f)
	if err != nil {
		return fmt.Errorf("%w: an event: %w", ErrProtocol, err)
	}
	if f.id != "" {
		r.response, r.lastSeq = response, seq
		r.fruitless = 0
		r.request.Header.Set(lastEventID, f.id)
	}
	if start, isStart := event.(Start); isStart {
		if start.AIResponseID == r.started {
			return nil
		}
		r.started = start.AIResponseID
	}
	if event != nil && !r.yield(event, nil) {
		return errEnd
	}
	switch event.(type) {
	case Done, Ready, Failed:
		return errEnd
	}
	return nil
}

// watched runs the timer only during reads, so that a caller may take its time with an event.
type watched struct {
	io.Reader
	timer *time.Timer
}

func (w watched) Read(p []byte) (int, error) {
	w.timer.Reset(maxSilence)
	defer w.timer.Stop()
	return w.Reader.Read(p)
}
