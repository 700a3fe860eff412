package groq

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Kind is the kind of failure, as far as callers can act on it.
type Kind string

// The closed list of kinds.
const (
	// Overloaded means that upstream cannot answer now: 408, 429, 498, any 5xx, or no connection.
	Overloaded Kind = "overloaded"
	// Misconfigured means that no request can succeed until somebody changes the key, the model or the URL: 401, 402,
	// 403, 404, 405, 410, a 400 that complains about the model or a parameter, or a certificate that does not verify.
	Misconfigured Kind = "misconfigured"
	// Rejected means that upstream does not accept this conversation: 400, 422 and other 4xx, or a finish by its content
	// filter.
	Rejected Kind = "rejected"
	// TooLarge means that the conversation is too long for the model or the rate limit: 413, or another error whose code
	// or words say so. A shorter one may be accepted.
	TooLarge Kind = "too_large"
	// Timeout means that the headers, or the whole answer, did not come in time, or that the caller's deadline passed.
	Timeout Kind = "timeout"
	// Stalled means that a response began and then fell silent.
	Stalled Kind = "stalled"
	// Protocol means that the response is not a well-formed stream, breaks a limit, ends before the answer does, or
	// contains an error of an unknown kind.
	Protocol Kind = "protocol"
	// Empty means that the model finished without any text.
	Empty Kind = "empty"
	// NoAnswer means that the token limit was used up before the answer began: all of it went into reasoning. The same
	// request ends the same way.
	NoAnswer Kind = "no_answer"
	// Cancelled means that the caller gave up: its context was cancelled or the stream was closed.
	Cancelled Kind = "cancelled"
)

// CodeConnectionLost is the code of a response that broke off with its connection, which others may have shared.
const CodeConnectionLost = "connection_lost"

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{Overloaded, Misconfigured, Rejected, TooLarge, Timeout, Stalled, Protocol, Empty, NoAnswer, Cancelled}
}

// Error is the only error a [Stream] reports. Its text holds the kind, the status and the code, and nothing else that
// upstream wrote: upstream's messages quote customers and name the account. They are in Message, for the operator.
type Error struct {
	Kind Kind
	// Status is the HTTP status, or the status in an error of a stream; 0 without one.
	Status int
	// Code is upstream's error code or, for a fault this package found, its own. It matches [a-z0-9_]{0,64}.
	Code string
	// RetryAfter is how long upstream asked to wait; 0 when it did not say. Only Overloaded errors have it.
	RetryAfter time.Duration
	// Message is what upstream said in its own words, or why it cannot be reached: at most 300 bytes on one line, without
	// the API key. It may quote the conversation, so it is for the operator's log and nobody else.
	Message string

	// transient marks the failures that the stream itself may try again.
	transient bool
	// costly marks failures whose every attempt costs the time and tokens of a whole answer. They are retried once.
	costly bool
	// refused is the optional parameter of the request that upstream does not accept.
	refused string
	cause   error
}

// Error returns a text that is safe to log.
func (e *Error) Error() string {
	text := "groq: " + string(e.Kind)
	if e.Status != 0 {
		text += ": status " + strconv.Itoa(e.Status)
	}
	if e.Code != "" {
		text += ": code " + e.Code
	}
	return text
}

// Unwrap returns the underlying error, such as the cause of the context's end. Its text is not safe to send on.
func (e *Error) Unwrap() error { return e.cause }

// Retryable reports whether the same request may succeed later, although nothing is changed.
func (e *Error) Retryable() bool {
	switch e.Kind {
	case Overloaded, Timeout, Stalled, Protocol, Empty:
		return true
	case Misconfigured, Rejected, TooLarge, NoAnswer, Cancelled:
		return false
	}
	return false
}

// The limits of time end a context with the error they stand for.
var (
	errNoHeader = &Error{Kind: Timeout, Code: "no_header"}
	errTotal    = &Error{Kind: Timeout, Code: "total_exceeded"}
	errIdle     = &Error{Kind: Stalled, Code: "idle"}
)

// contextError returns the error for a context that has ended.
func contextError(ctx context.Context) *Error {
	cause := context.Cause(ctx)
	if own, ok := errors.AsType[*Error](cause); ok {
		return own
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return &Error{Kind: Timeout, Code: "deadline", cause: cause}
	}
	return &Error{Kind: Cancelled, cause: cause}
}

func protocolError(code string) *Error { return &Error{Kind: Protocol, Code: code} }

// codeKinds gives the kind for codes that say more than the status they come with.
var codeKinds = map[string]Kind{
	// The model has written a call of a tool that it was not given, or something else that Groq cannot read.
	"tool_use_failed":         Protocol,
	"output_parse_failed":     Protocol,
	"json_validate_failed":    Protocol, // The output is not the requested JSON.
	"invalid_api_key":         Misconfigured,
	"model_not_found":         Misconfigured,
	"model_decommissioned":    Misconfigured,
	"blocked_api_access":      Misconfigured,
	"organization_restricted": Misconfigured,
	"context_length_exceeded": TooLarge,
	"request_too_large":       TooLarge,
	"unknown_parameter":       Misconfigured,
	"unsupported_parameter":   Misconfigured,
	"unsupported_value":       Misconfigured,
	"rate_limit_exceeded":     Overloaded,
	"capacity_exceeded":       Overloaded,
}

// statusError returns the error for a response that is not a 200. The body may be cut and need not be JSON.
func statusError(status int, header http.Header, body []byte) *Error {
	d := parseBody(body)
	e := &Error{Kind: statusKind(status, d.code), Status: status, Code: d.code, Message: d.message}
	e.classify(d, header)
	return e
}

// streamError returns the error for an error object, or string, inside of a stream.
func streamError(raw json.RawMessage) *Error {
	d := parseDetail(raw)
	e := &Error{Status: d.status, Code: d.code, Message: d.message}
	switch {
	case d.status >= 400:
		e.Kind = statusKind(d.status, d.code)
	case codeKinds[d.code] != "":
		e.Kind = codeKinds[d.code]
	case strings.Contains(d.typ, "invalid_request"):
		e.Kind = Rejected
	case strings.Contains(d.typ, "server") || strings.Contains(d.typ, "unavailable"):
		e.Kind = Overloaded
	default:
		e.Kind = Protocol
		if e.Code == "" {
			e.Code = "stream_error"
		}
	}
	e.transient = e.Kind == Protocol
	e.classify(d, nil)
	return e
}

// classify corrects the kind using the upstream's message, and decides whether the stream may retry.
func (e *Error) classify(d detail, header http.Header) {
	words := d.typ + " " + d.message
	asks := e.Kind == Rejected || e.Kind == Protocol && e.Code == "stream_error"
	switch {
	case (asks || e.Status == http.StatusInternalServerError) && tooLong().MatchString(words):
		e.Kind = TooLarge
	case e.Status == http.StatusTooManyRequests && tooLargeForRate().MatchString(d.message):
		e.Kind = TooLarge
	case asks && noModel().MatchString(words):
		e.Kind, e.Code = Misconfigured, "model_not_found"
	case asks || e.Kind == Misconfigured && e.Status == http.StatusBadRequest:
		// A complaint about a parameter is not the customer's fault, and most parameters can be left out.
		if e.refused = optional.FindString(d.param + " " + words); e.refused != "" || notOurs().MatchString(words) {
			e.Kind = Misconfigured
		}
	}
	switch e.Kind {
	case Overloaded:
		e.transient = true
		e.RetryAfter = retryAfter(header, d)
	case Protocol:
		e.costly = codeKinds[e.Code] == Protocol
		e.transient = e.transient || e.costly
	default:
		e.transient = false
	}
}

func statusKind(status int, code string) Kind {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return TooLarge
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusGone:
		return Misconfigured
	case http.StatusRequestTimeout, http.StatusTooManyRequests, statusCapacityExceeded:
		return Overloaded
	}
	switch {
	case status >= 500:
		return Overloaded
	case status >= 400 && codeKinds[code] != "":
		return codeKinds[code]
	case status >= 400:
		return Rejected
	}
	return Protocol
}

// statusCapacityExceeded is Groq's own status for a flex request that found no capacity.
const statusCapacityExceeded = 498

// detail is what the package reads of an error object. The message only leaves it as an Error's Message.
type detail struct {
	message, typ, code, param string
	status                    int
}

// parseBody reads the body of an error response: an object or a string under "error", the error object itself (vLLM
// before 0.10), or "detail" (servers made with FastAPI). Of anything else, the text is all there is.
func parseBody(body []byte) detail {
	var envelope map[string]json.RawMessage
	if json.Unmarshal(body, &envelope) != nil {
		// A proxy's error page is not JSON. Its status is enough.
		return detail{message: string(body)}
	}
	switch {
	case present(envelope["error"]):
		return parseDetail(envelope["error"])
	case present(envelope["message"]):
		return parseDetail(body)
	case present(envelope["detail"]):
		d := parseDetail(envelope["detail"])
		if d.message == "" {
			d.message = string(envelope["detail"])
		}
		return d
	}
	return detail{message: string(body)}
}

// parseDetail reads an error object, member by member, because servers disagree about the members' types.
func parseDetail(raw json.RawMessage) detail {
	var members map[string]json.RawMessage
	var d detail
	if json.Unmarshal(raw, &members) != nil {
		_ = json.Unmarshal(raw, &d.message)
		return d
	}
	_ = json.Unmarshal(members["message"], &d.message)
	_ = json.Unmarshal(members["type"], &d.typ)
	_ = json.Unmarshal(members["param"], &d.param)
	var code string
	if json.Unmarshal(members["code"], &code) != nil {
		// llama.cpp and vLLM repeat the status there.
		_ = json.Unmarshal(members["code"], &d.status)
	}
	_ = json.Unmarshal(members["status_code"], &d.status)
	if codePattern.MatchString(code) {
		d.code = code
	}
	if d.status < 100 || d.status > 599 {
		d.status = 0
	}
	return d
}

var codePattern = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
