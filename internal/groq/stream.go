package groq

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	// maxErrorBody bounds what is read of an error response. Groq's are shorter than 1 KiB.
	maxErrorBody = 16 << 10
	// tailIdle is how long a finished answer waits for the usage that may still follow.
	tailIdle = 2 * time.Second
)

// Result describes a stream. It is complete once Next has reported false, and before that holds what is known so far.
type Result struct {
	// Model is the model that answered, as upstream names it; until then the one asked for.
	Model string
	// FinishReason is empty unless the answer is complete.
	FinishReason FinishReason
	// Usage is the last that upstream reported. It may be there for a failed stream, and is zero for one that was cut.
	Usage Usage
	// RequestID is upstream's id of the request, for its support.
	RequestID string
	// Attempts is the number of requests that were sent.
	Attempts int
	// FirstTokenAt is when the first content arrived; zero if none did.
	FirstTokenAt time.Time
}

// Stream is one streamed completion. It must be used by one goroutine at a time; to interrupt it from another, cancel
// its context.
//
// A failure that may pass is tried again, at most Limits.Retries times, as long as no delta has been handed out.
type Stream struct {
	client    *Client
	ctx       context.Context // of the whole stream; kept because a stream is the one call it was given to
	cancel    context.CancelFunc
	req       Request
	payload   []byte
	attempt   *attempt
	delta     string
	delivered bool
	done      bool
	err       *Error
	result    Result
}

// attempt is one response that is being read.
type attempt struct {
	cancel  context.CancelCauseFunc
	body    io.Closer
	decoder *decoder
}

// Next waits for the next piece of the answer and reports whether there is one. When it reports false, the connection
// is closed, and Err tells whether the answer is complete.
func (s *Stream) Next() bool {
	s.delta = ""
	for !s.done {
		text, err := s.read()
		if err == nil {
			s.deliver(text)
			return true
		}
		if errors.Is(err, errEnd) {
			s.end(nil)
			return false
		}
		if fault := s.retry(asError(err)); fault != nil {
			s.end(fault)
		}
	}
	return false
}

// Delta returns the piece that the last call of Next found: valid UTF-8 without NUL, and not empty.
func (s *Stream) Delta() string { return s.delta }

// Err returns nil if the answer is complete or the stream is still running, otherwise an [*Error].
func (s *Stream) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// Result returns what is known about the stream.
func (s *Stream) Result() Result { return s.result }

// Close ends the stream, if it is still running as Cancelled, and closes its connection. It always returns nil and may
// be called more than once.
func (s *Stream) Close() error {
	if !s.done {
		s.end(&Error{Kind: Cancelled, Code: "closed"})
	}
	return nil
}

// encode encodes the request, without the parameters that the server is known to refuse.
func (s *Stream) encode() *Error {
	payload, err := s.client.encode(s.req)
	s.payload = payload
	return err
}

// read returns the next delta of the current attempt, which it opens if there is none.
func (s *Stream) read() (string, error) {
	if s.attempt == nil {
		if err := s.open(); err != nil {
			return "", err
		}
	}
	text, err := s.attempt.decoder.next()
	s.note(s.attempt.decoder)
	return text, err
}

func (s *Stream) deliver(text string) {
	s.delta = text
	if !s.delivered {
		s.delivered = true
		s.result.FirstTokenAt = time.Now()
	}
}

// note copies to the result what the attempt has shown so far.
func (s *Stream) note(d *decoder) {
	if d.model != "" {
		s.result.Model = d.model
	}
	if d.requestID != "" {
		s.result.RequestID = d.requestID
	}
	if d.usage != (Usage{}) {
		s.result.Usage = d.usage
	}
}

func (s *Stream) end(fault *Error) {
	if fault == nil {
		s.result.FinishReason = s.attempt.decoder.finish
	}
	s.closeAttempt(fault == nil)
	s.done = true
	if fault != nil {
		fault = s.client.worded(fault)
	}
	s.err = fault
	s.cancel()
}

// retry waits until the next attempt and returns nil, or returns the error that the stream ends with.
func (s *Stream) retry(fault *Error) *Error {
	s.closeAttempt(false)
	if !s.delivered && s.client.habits.refuse(fault.refused) {
		// The server says what it does not accept, so there is no point in waiting.
		return s.encode()
	}
	limits := s.client.limits
	retries := limits.Retries
	if fault.costly {
		retries = min(retries, 1)
	}
	if s.delivered || !fault.transient || s.result.Attempts > retries || fault.RetryAfter > limits.RetryWait {
		return fault
	}
	wait := retryWait(s.result.Attempts, fault.RetryAfter)
	if deadline, ok := s.ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return fault
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return contextError(s.ctx)
	}
}

// closeAttempt closes the connection, and remembers how the model writes its reasoning.
func (s *Stream) closeAttempt(complete bool) {
	if s.attempt == nil {
		return
	}
	d := s.attempt.decoder
	s.client.habits.reasoning.Learn(s.req.Model, &d.strip, complete && d.finish == FinishStop)
	s.attempt.cancel(context.Canceled)
	_ = s.attempt.body.Close() // The body is no longer needed, so its failure does not matter.
	s.attempt = nil
}

// open sends the request and leaves an attempt whose response is an event stream.
func (s *Stream) open() error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	attempt, err := s.request(ctx, cancel)
	if err != nil {
		cancel(err)
		return err
	}
	s.attempt = attempt
	return nil
}

func (s *Stream) request(ctx context.Context, cancel context.CancelCauseFunc) (*attempt, error) {
	limits := s.client.limits
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.client.endpoint, bytes.NewReader(s.payload))
	if err != nil {
		return nil, &Error{Kind: Misconfigured, Code: "invalid_url", cause: err}
	}
	s.client.setHeader(req.Header)
	s.result.Attempts++
	timer := time.AfterFunc(limits.Header, func() { cancel(errNoHeader) })
	resp, err := s.client.http.Do(req)
	timer.Stop()
	if err != nil {
		return nil, connectError(ctx, err)
	}
	if id := resp.Header.Get("X-Request-Id"); requestIDPattern.MatchString(id) {
		s.result.RequestID = id
	}
	b := newBody(ctx, cancel, resp.Body, limits.Body)
	b.idle = func() time.Duration { return limits.Idle }
	if err := checkResponse(resp, b); err != nil {
		_ = resp.Body.Close() // The response has already been refused.
		return nil, err
	}
	d := newDecoder(b, limits)
	d.progress = b.renew
	if !s.client.speech.separates {
		d.strip = s.client.habits.reasoning.Stripper(s.req.Model, limits.Answer)
	}
	b.idle = func() time.Duration {
		// A finish reason before any content may only be the end of the reasoning.
		if d.finished() && d.size > 0 {
			return min(limits.Idle, tailIdle)
		}
		return limits.Idle
	}
	return &attempt{cancel: cancel, body: resp.Body, decoder: d}, nil
}

func (c *Client) setHeader(header http.Header) {
	header.Set("Content-Type", "application/json")
	header.Set("Accept", "text/event-stream")
	header.Set("Accept-Encoding", "identity")
	header.Set("User-Agent", userAgent)
	if c.apiKey != "" {
		header.Set("Authorization", "Bearer "+c.apiKey)
	}
}

// checkResponse returns an error unless resp is an event stream without compression.
func checkResponse(resp *http.Response, b *body) error {
	switch encoding := resp.Header.Get("Content-Encoding"); {
	case resp.StatusCode != http.StatusOK:
		// An error response that cannot be read is still an error. Only its code is missing.
		text, err := io.ReadAll(io.LimitReader(b, maxErrorBody))
		if own, ok := errors.AsType[*Error](err); ok && own.Kind == Cancelled {
			return own
		}
		return statusError(resp.StatusCode, resp.Header, text)
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return &Error{Kind: Protocol, Status: resp.StatusCode, Code: "compressed"}
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "text/event-stream" {
		return notStream(resp.StatusCode, b)
	}
	return nil
}

// notStream returns the error for a 200 that is not a stream: the one that its JSON names, as some gateways answer.
func notStream(status int, b *body) *Error {
	text, err := io.ReadAll(io.LimitReader(b, maxErrorBody))
	if own, ok := errors.AsType[*Error](err); ok && own.Kind == Cancelled {
		return own
	}
	var envelope struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(text, &envelope) == nil && present(envelope.Error) {
		return streamError(envelope.Error)
	}
	return &Error{Kind: Protocol, Status: status, Code: "not_event_stream", Message: string(text)}
}

// connectError returns the error for a request that got no response.
func connectError(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return &Error{Kind: Misconfigured, Code: "invalid_tls", Message: err.Error(), cause: err}
	}
	e := &Error{Kind: Overloaded, Code: "connection_failed", Message: err.Error(), transient: true, cause: err}
	if own, ok := errors.AsType[*url.Error](err); ok {
		e.Message = own.Err.Error() // The rest is our method and URL.
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		e.Code = "unknown_host"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Code = "connection_refused"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		e.Code = "connection_closed"
	}
	return e
}

// worded returns the error with upstream's words cleaned for the log. The errors of the limits, which are shared, have none.
func (c *Client) worded(fault *Error) *Error {
	if fault.Message == "" {
		return fault
	}
	cleaned := *fault
	cleaned.Message = c.clean(fault.Message)
	return &cleaned
}

func asError(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	return &Error{Kind: Protocol, Code: "unreadable", cause: err}
}
