package client

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client/plain"
)

func TestProblemError(t *testing.T) {
	t.Parallel()
	problem := Problem{Problem: plain.Problem{
		Status: 422, Code: plain.ProblemCodeValidationFailed, Title: "Validation failed", Detail: "The body breaks a rule.",
		RequestID: "0199d3c6", Errors: []plain.FieldError{{Pointer: "/title", Code: plain.FieldErrorCodeTooLong}},
	}}
	require.EqualError(t, &problem,
		"support: 422 validation_failed: Validation failed: The body breaks a rule; /title too_long (request 0199d3c6)")
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	require.Equal(t, 7*time.Second, retryAfter("7"))
	require.InDelta(t, time.Hour, retryAfter(time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)), float64(time.Minute))
	for _, none := range []string{"", "-1", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"} {
		require.Zero(t, retryAfter(none), none)
	}
}
