package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

func TestOneAccountHasItsShareOfTheStreams(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{MaxStreamsEach: 1})
	one, other := s.Customer(t), s.Customer(t)
	for range 2 {
		enqueue(t, s, groqsim.Script{Gates: []groqsim.Gate{{Name: "late", After: 1}}})
	}
	ticket := one.NewTicket(t)
	stream := one.Stream(t, ticket.ID)
	event, more := stream.Next()
	require.True(t, more)
	var start plain.StartEvent
	require.NoError(t, json.Unmarshal([]byte(event.Data), &start))
	for _, refused := range []*apitest.Stream{
		one.OpenStream(t, ticket.ID, ""), one.OpenAIResponse(t, start.AIResponseID, ""),
	} {
		refused.RequireProblem(http.StatusTooManyRequests, client.ProblemCodeRateLimited)
		require.Equal(t, "5", refused.Response.Header.Get("Retry-After"))
	}
	poll, err := one.ListAIResponseEventsWithResponse(t.Context(), start.AIResponseID, nil)
	require.NoError(t, err)
	apitest.RequireProblem(t, poll.StatusCode(), poll.Body, http.StatusTooManyRequests, client.ProblemCodeRateLimited)
	others := other.Stream(t, other.NewTicket(t).ID)
	_, more = others.Next()
	require.True(t, more, "another account has a share of its own")

	stream.Close()
	require.Eventually(t, func() bool {
		again := one.OpenStream(t, ticket.ID, "")
		defer again.Close()
		return again.Response.StatusCode == http.StatusOK
	}, patience, 20*time.Millisecond, "a client that hangs up gives its place back")
}

func TestDocumentationCountsForItsReadersAddress(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{RateLimit: 1})
	for _, path := range []string{"/openapi.json", "/docs"} {
		require.Equal(t, http.StatusOK, s.Do(t, http.MethodGet, path, "").Status)
	}
	r := s.Do(t, http.MethodGet, "/docs", "")
	for i := 0; i < 50 && r.Status == http.StatusOK; i++ { // Allowed again when a request has taken a second.
		r = s.Do(t, http.MethodGet, "/docs", "")
	}
	r.RequireProblem(t, http.StatusTooManyRequests, client.ProblemCodeRateLimited)
}

func TestDocumentationIsTheSameWithAndWithoutCompression(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	for _, path := range []string{"/openapi.json", "/openapi.yaml", "/redoc"} {
		plain := s.Do(t, http.MethodGet, path, "", "Accept-Encoding: identity")
		packed := s.Do(t, http.MethodGet, path, "", "Accept-Encoding: gzip")
		require.Equal(t, "gzip", packed.Header.Get("Content-Encoding"))
		zip, err := gzip.NewReader(bytes.NewReader(packed.Body))
		require.NoError(t, err)
		unpacked, err := io.ReadAll(zip)
		require.NoError(t, err)
		require.Equal(t, unpacked, plain.Body, path)
	}
}
