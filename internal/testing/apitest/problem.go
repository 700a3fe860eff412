package apitest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
)

// RequireProblem checks that the response is a problem with the status and the code, and returns it.
func RequireProblem(t testing.TB, status int, body []byte, wantStatus int, wantCode client.ProblemCode) plain.Problem {
	t.Helper()
	require.Equal(t, wantStatus, status, "%s", body)
	var problem plain.Problem
	require.NoError(t, json.Unmarshal(body, &problem), "%s", body)
	require.Equal(t, wantCode, problem.Code, "%s", body)
	require.Equal(t, int32(wantStatus), problem.Status)
	require.Equal(t, "/problems/"+string(wantCode), problem.Type)
	require.NotEmpty(t, problem.RequestID)
	return problem
}

// RequireProblem checks that the response is a problem with the status and the code, and returns it.
func (r Response) RequireProblem(t testing.TB, wantStatus int, wantCode client.ProblemCode) plain.Problem {
	t.Helper()
	problem := RequireProblem(t, r.Status, r.Body, wantStatus, wantCode)
	require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
	require.Equal(t, problem.RequestID, r.Header.Get("X-Request-Id"))
	return problem
}
