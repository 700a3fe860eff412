package upstream

import (
	"errors"
	"time"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/groq"
)

// Code returns the error code for an upstream failure. ok is false for an error that is not upstream's.
func Code(err error) (code apperr.Code, ok bool) {
	if failure, ok := errors.AsType[*groq.Error](err); ok {
		return codeOf(failure.Kind), true
	}
	return "", false
}

func codeOf(kind groq.Kind) apperr.Code {
	switch kind {
	case groq.Overloaded:
		return apperr.AIOverloaded
	case groq.Misconfigured:
		return apperr.AIMisconfigured
	case groq.Rejected, groq.TooLarge:
		return apperr.ConversationNotAccepted
	case groq.NoAnswer:
		return apperr.AINoAnswer
	case groq.Timeout:
		return apperr.AITimeout
	case groq.Stalled:
		return apperr.AIStalled
	case groq.Protocol, groq.Empty:
		return apperr.AIProtocol
	case groq.Cancelled:
	}
	return apperr.Internal
}

// RetryAfter returns how long upstream asked to wait; 0 if it did not say.
func RetryAfter(err error) time.Duration {
	if failure, ok := errors.AsType[*groq.Error](err); ok {
		return failure.RetryAfter
	}
	return 0
}

// refused returns the failure of a request that was not sent because its model has failed too often.
func refused(wait time.Duration) *groq.Error {
	return &groq.Error{Kind: groq.Overloaded, Code: "breaker_open", RetryAfter: wait}
}

// report records a request's result in the model's breaker.
func (p *pass) report(err error) {
	switch kindOf(err) {
	case "":
		p.succeeded()
	case groq.Overloaded, groq.Timeout, groq.Stalled, groq.Protocol, groq.Misconfigured:
		p.breaker.heed(RetryAfter(err))
		if codeIs(err, groq.CodeConnectionLost) {
			p.lost()
		} else {
			p.failed()
		}
	case groq.Rejected, groq.TooLarge, groq.Empty, groq.NoAnswer, groq.Cancelled:
		p.ended()
	}
}

func codeIs(err error, code string) bool {
	failure, ok := errors.AsType[*groq.Error](err)
	return ok && failure.Code == code
}

// anotherMayAnswer reports whether the failure is specific to the model, so that another one may answer.
func anotherMayAnswer(err error) bool {
	failure, ok := errors.AsType[*groq.Error](err)
	if !ok {
		return false
	}
	switch failure.Code {
	case "model_not_found", "model_decommissioned", "tool_use_failed", "output_parse_failed", "json_validate_failed", invalidJSON:
		return true
	}
	return failure.Kind == groq.Overloaded || failure.Kind == groq.Empty
}

// kindOf returns the kind of an upstream failure; empty for success, and Cancelled for an error that is not upstream's.
func kindOf(err error) groq.Kind {
	if err == nil {
		return ""
	}
	if failure, ok := errors.AsType[*groq.Error](err); ok {
		return failure.Kind
	}
	return groq.Cancelled
}
