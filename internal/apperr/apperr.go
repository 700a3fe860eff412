// Package apperr is the one kind of error that a caller of the API gets to see: a code of a closed list, and a
// sentence for people. What caused it stays inside, for the log.
package apperr

import (
	"errors"
	"time"
)

// Error is an error with a code that the contract names.
type Error struct {
	// Code is what clients decide by.
	Code Code
	// Detail is a sentence for people. It never repeats a value that was sent.
	Detail string
	// Fields names the places of the request that break a rule, for the codes that say so.
	Fields []Field
	// RetryAfter is how long to wait before the same request may succeed; zero when that is not known.
	RetryAfter time.Duration

	cause error
}

// Field is one place of a request that breaks a rule.
type Field struct {
	// Pointer is a JSON pointer (RFC 6901) into the body, or a parameter's name after a slash.
	Pointer string
	Code    FieldCode
	// In is where a parameter stands: in the query or in a header. Empty for a place in the body.
	In string
	// Limit is the length, number or size that the value is beyond; nil where that is not the reason.
	Limit *int64
	// Allowed are the values that may stand there, where they are few.
	Allowed []string
}

// New returns an error without a cause.
func New(code Code, detail string) *Error {
	return &Error{Code: code, Detail: detail}
}

// Wrap returns an error that keeps its cause for the log. The cause is never shown to a caller.
func Wrap(code Code, detail string, cause error) *Error {
	return &Error{Code: code, Detail: detail, cause: cause}
}

// After returns a copy that says how long to wait before the same request may succeed.
func (e *Error) After(wait time.Duration) *Error {
	later := *e
	later.RetryAfter = wait
	return &later
}

// At returns a copy that names the places of the request that break a rule.
func (e *Error) At(fields ...Field) *Error {
	placed := *e
	placed.Fields = fields
	return &placed
}

// Error is the text for the log: the code, and the causes behind it.
func (e *Error) Error() string {
	if e.cause == nil {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.cause.Error()
}

// Unwrap returns the cause, which may be nil.
func (e *Error) Unwrap() error { return e.cause }

// From returns the first Error in err's chain, or an internal one that wraps err when there is none.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(Internal, "", err)
}

// Is reports whether err carries the code.
func Is(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
