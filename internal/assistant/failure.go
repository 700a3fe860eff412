package assistant

import (
	"errors"
	"math"
	"time"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/groq"
)

// overloadedPause is when to ask again where upstream has not said.
const overloadedPause = 5 * time.Second

// failureOf turns what ended an answer into what its readers are told.
func failureOf(err error) *apperr.Error {
	var upstream *groq.Error
	if !errors.As(err, &upstream) {
		return apperr.From(err)
	}
	return upstreamFailure(upstream)
}

// details say of each code, for people, what has happened to an answer.
var details = map[apperr.Code]string{
	apperr.AINoAnswer:              "The AI used all its tokens before it began to answer.",
	apperr.AIOverloaded:            "The AI service is overloaded or cannot be reached.",
	apperr.AIMisconfigured:         "The AI service refuses this server.",
	apperr.ConversationNotAccepted: "The AI does not accept this conversation.",
	apperr.AITimeout:               "The AI service did not answer in time.",
	apperr.AIStalled:               "The AI service fell silent.",
	apperr.AIProtocol:              "The AI service broke off or sent something unexpected.",
	apperr.Superseded:              "A human took the ticket over, or something else was said, before the answer was complete.",
	apperr.Cancelled:               "The answer was cancelled.",
}

// failureWith is the failure that a code in the log stands for.
func failureWith(code apperr.Code) *apperr.Error {
	return apperr.New(code, details[code])
}

func upstreamFailure(err *groq.Error) *apperr.Error {
	code := codeOf(err.Kind)
	failure := apperr.Wrap(code, details[code], err)
	if code == apperr.AIOverloaded {
		failure.RetryAfter = max(err.RetryAfter, overloadedPause)
	}
	return failure
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
	case groq.Canceled:
	}
	return apperr.Internal
}

// retryAfterSeconds is how the log keeps the wait that a failure names; nil when it names none.
func retryAfterSeconds(failure *apperr.Error) *int32 {
	if failure.RetryAfter <= 0 {
		return nil
	}
	// Upstream's waits are bounded to a day.
	return new(int32(min(math.Ceil(failure.RetryAfter.Seconds()), math.MaxInt32)))
}

// errStopping ends the answers that a process which is told to stop has no time for.
var errStopping = errors.New("assistant: the process is stopping")

func errDraining() *apperr.Error { return draining("The server is shutting down.") }

// errComeBack is told a reader whose answer goes on in another process.
func errComeBack() *apperr.Error { return draining("The answer goes on in another process.") }

func draining(detail string) *apperr.Error {
	return apperr.New(apperr.Draining, detail).After(time.Second)
}
