package client

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client/plain"
)

// The access token may expire while the server cannot refresh it.
func TestFollowEventsContinuesWhenARefreshFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		expired := func() *http.Response {
			return response(http.StatusUnauthorized, "application/problem+json", `{"status":401,"code":"invalid_token"}`, nil)
		}
		down := func() *http.Response { return response(http.StatusServiceUnavailable, "text/plain", "", nil) }
		s, err := New(
			WithBaseURL("https://support.example.com"), WithToken("token"), WithRefreshToken("srt_1", func(plain.AccessToken) {}),
			WithHTTPClient(answers(
				expired(), down(), down(), down(),
				expired(), response(http.StatusOK, "application/json", `{"access_token":"next","refresh_token":"srt_2"}`, nil),
				response(http.StatusOK, "application/json", `{"events":[{"position":7}],"position":7,"head":7}`, nil),
			)),
		)
		require.NoError(t, err)
		var outages []error
		from := EventsFrom{OnOutage: func(err error) { outages = append(outages, err) }}
		for event, err := range s.FollowEvents(t.Context(), from) {
			require.NoError(t, err)
			require.Equal(t, int64(7), event.Position)
			break
		}
		require.Len(t, outages, 2)
		require.Error(t, outages[0])
		require.NoError(t, outages[1])
	})
}
