// Package apperr defines the errors that callers of the API see: a code from a closed list, and a sentence for people.
// The cause stays inside, for the log.
package apperr

import (
	"errors"
	"time"
)

// Error is an error with a code that the contract names.
type Error struct {
	// Code is what clients branch on.
	Code Code
	// Detail is a sentence for people. It never repeats a value that was sent.
	Detail string
	// Fields are the places of the request that break a rule, for the codes that have them.
	Fields []Field
	// RetryAfter is how long to wait before the same request may succeed; zero when unknown.
	RetryAfter time.Duration

	cause error
}

// Field is one place of a request that breaks a rule.
type Field struct {
	// Pointer is a JSON pointer (RFC 6901) into the body, or a parameter's name after a slash.
	Pointer string
	Code    FieldCode
	// In says whether a parameter is in the query or in a header; empty for a place in the body.
	In string
	// Limit is the length, number or size that the value exceeds; nil for other faults.
	Limit *int64
	// Allowed are the allowed values, if there are few.
	Allowed []string
}

// New returns an error without a cause.
func New(code Code, detail string) *Error {
	return &Error{Code: code, Detail: detail}
}

// Invalid returns ValidationFailed for the faults of a body.
func Invalid(faults ...Field) *Error {
	return New(ValidationFailed, "The body breaks a rule of the contract.").At(faults...)
}

// Wrap returns an error that keeps its cause for the log. The cause is never shown to a caller.
func Wrap(code Code, detail string, cause error) *Error {
	return &Error{Code: code, Detail: detail, cause: cause}
}

// After returns a copy with RetryAfter.
func (e *Error) After(wait time.Duration) *Error {
	later := *e
	later.RetryAfter = wait
	return &later
}

// At returns a copy with Fields.
func (e *Error) At(fields ...Field) *Error {
	placed := *e
	placed.Fields = fields
	return &placed
}

// Error returns the text for the log: the code and its causes.
func (e *Error) Error() string {
	if e.cause == nil {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.cause.Error()
}

// Unwrap returns the cause, which may be nil.
func (e *Error) Unwrap() error { return e.cause }

// From returns the first Error in err's chain, or an internal one that wraps err.
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
