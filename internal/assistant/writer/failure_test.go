package writer

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/groq"
)

func TestEveryKindOfUpstreamErrorHasACode(t *testing.T) {
	t.Parallel()
	for kind, want := range map[groq.Kind]apperr.Code{
		groq.Overloaded:    apperr.AIOverloaded,
		groq.Misconfigured: apperr.AIMisconfigured,
		groq.Rejected:      apperr.ConversationNotAccepted,
		groq.TooLarge:      apperr.ConversationNotAccepted,
		groq.Timeout:       apperr.AITimeout,
		groq.Stalled:       apperr.AIStalled,
		groq.Protocol:      apperr.AIProtocol,
		groq.Empty:         apperr.AIProtocol,
		groq.NoAnswer:      apperr.AINoAnswer,
		groq.Cancelled:     apperr.Internal,
	} {
		require.Equal(t, want, Failure(&groq.Error{Kind: kind}).Code, kind)
	}
	overloaded := Failure(&groq.Error{Kind: groq.Overloaded, RetryAfter: time.Minute})
	require.Equal(t, time.Minute, overloaded.RetryAfter)
}

func TestUnknownErrorIsInternal(t *testing.T) {
	t.Parallel()
	failure := Failure(errors.New("something"))
	require.Equal(t, apperr.Internal, failure.Code)
	require.Empty(t, failure.Detail)
}
