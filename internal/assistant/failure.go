package assistant

import (
	"context"
	"errors"
	"time"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/groq"
)

// overloadedPause is when to ask again where upstream has not said.
const overloadedPause = 5 * time.Second

// failureOf turns what ended an answer into what its readers are told.
func failureOf(ctx context.Context, err error) *apperr.Error {
	var known *apperr.Error
	if errors.As(context.Cause(ctx), &known) {
		return known
	}
	var upstream *groq.Error
	if !errors.As(err, &upstream) {
		return apperr.From(err)
	}
	return upstreamFailure(upstream)
}

func upstreamFailure(err *groq.Error) *apperr.Error {
	switch err.Kind {
	case groq.Overloaded:
		e := apperr.Wrap(apperr.AIOverloaded, "The AI service is at its limit.", err)
		e.RetryAfter = max(err.RetryAfter, overloadedPause)
		return e
	case groq.Misconfigured:
		return apperr.Wrap(apperr.AIMisconfigured, "The AI service refuses this server.", err)
	case groq.Rejected, groq.TooLarge:
		return apperr.Wrap(apperr.ConversationNotAccepted, "The AI does not accept this conversation.", err)
	case groq.Timeout:
		return apperr.Wrap(apperr.AITimeout, "The AI service did not answer in time.", err)
	case groq.Stalled:
		return apperr.Wrap(apperr.AIStalled, "The AI service fell silent.", err)
	case groq.Protocol, groq.Empty:
		return apperr.Wrap(apperr.AIProtocol, "The AI service broke off or sent something unexpected.", err)
	case groq.Canceled:
	}
	return apperr.Wrap(apperr.Internal, "", err)
}

func errSuperseded() *apperr.Error {
	return apperr.New(apperr.Superseded, "A human took the ticket over while the answer was being written.")
}

func errDraining() *apperr.Error {
	e := apperr.New(apperr.Draining, "The server is shutting down.")
	e.RetryAfter = time.Second
	return e
}
