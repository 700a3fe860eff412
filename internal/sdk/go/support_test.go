package client

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client/plain"
)

// doer answers requests without a network, so that tests can run on synctest's clock.
type doer func(*http.Request) *http.Response

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r), nil }

// answers returns a doer that gives one response after the other.
func answers(responses ...*http.Response) doer {
	return func(*http.Request) *http.Response {
		next := responses[0]
		responses = responses[1:]
		return next
	}
}

func response(status int, mediaType, body string, header http.Header) *http.Response {
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", mediaType)
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

func newSupport(t *testing.T, d doer) *Support {
	t.Helper()
	s, err := New(WithBaseURL("https://support.example.com"), WithToken("token"), WithHTTPClient(d))
	require.NoError(t, err)
	return s
}

// get returns a function that builds a GET request.
func get(path string) func(string) (*http.Request, error) {
	return func(server string) (*http.Request, error) {
		return http.NewRequest(http.MethodGet, server+path, bytes.NewReader(nil)) //nolint:noctx // The SDK sets the server.
	}
}

func TestOnlyRepeatableRequestsAreRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, o := range []operation{{}, {repeatable: true}} {
			requests := 0
			s := newSupport(t, func(r *http.Request) *http.Response {
				requests++
				require.Equal(t, "Bearer token", r.Header.Get("Authorization"))
				return response(http.StatusServiceUnavailable, "text/plain", "", nil)
			})
			_, err := call[plain.Ticket](t.Context(), s, o, nil, get("tickets/1"))
			var problem *Problem
			require.ErrorAs(t, err, &problem)
			require.True(t, problem.Retryable)
			require.Equal(t, o.repeatable, requests == 1+defaultRetries)
		}
	})
}

func TestItemsFollowCursors(t *testing.T) {
	t.Parallel()
	s := newSupport(t, answers(
		response(http.StatusOK, "application/json", "[1,2]",
			http.Header{"Link": {`</numbers?cursor=a>; rel="prev"`, `</numbers?cursor=b>; rel="next"`}}),
		response(http.StatusOK, "application/json", "[3]", nil),
	))
	var cursors []string
	var all []int
	for item, err := range items(func(cursor string) (*Page[int], error) {
		cursors = append(cursors, cursor)
		return callPage[int](t.Context(), s, operation{}, nil, get("numbers?cursor="+cursor))
	}) {
		require.NoError(t, err)
		all = append(all, item)
	}
	require.Equal(t, []int{1, 2, 3}, all)
	require.Equal(t, []string{"", "b"}, cursors)
}

func TestListWithoutPages(t *testing.T) {
	t.Parallel()
	s := newSupport(t, answers(response(http.StatusOK, "application/json", "[1,2]", nil)))
	list, err := callList[int](t.Context(), s, operation{}, nil, get("numbers"))
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, list)
}

func TestAnswerOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, stream string
		want         func(*testing.T, *plain.Message, error)
	}{
		{
			"done", "event: done\ndata: {\"type\":\"done\",\"message\":{\"content\":\"Hello.\"}}\n\n",
			func(t *testing.T, message *plain.Message, err error) {
				t.Helper()
				require.NoError(t, err)
				require.Equal(t, "Hello.", message.Content)
			},
		},
		{
			"failed", "event: failed\ndata: {\"type\":\"failed\",\"code\":\"cancelled\",\"detail\":\"Somebody asked.\"}\n\n",
			func(t *testing.T, _ *plain.Message, err error) {
				t.Helper()
				var failed Failed
				require.ErrorAs(t, err, &failed)
				require.EqualError(t, err, "support: no answer: cancelled: Somebody asked.")
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSupport(t, answers(response(http.StatusOK, "text/event-stream", test.stream, nil)))
			message, err := AnswerOf(s.stream(t.Context(), operation{repeatable: true}, nil, get("stream")))
			test.want(t, message, err)
		})
	}
}
