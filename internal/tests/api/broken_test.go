package api_test

import (
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/desk"
)

// A client may close its side for writing and still read. It must read a response or nothing: it would take an empty
// 200 for a success.
func TestHalfClosedRequestNeverGetsAnEmptySuccess(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	for range 20 {
		conn := dial(t, s.URL)
		_, err := io.WriteString(conn, "GET /tickets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+user.Token+"\r\n\r\n")
		require.NoError(t, err)
		tcp, ok := conn.Conn.(*net.TCPConn)
		require.True(t, ok)
		require.NoError(t, tcp.CloseWrite())
		response, err := http.ReadResponse(conn.reader, nil)
		if err == nil {
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NotEmpty(t, body, "status %d", response.StatusCode)
			require.NoError(t, response.Body.Close())
		}
		require.NoError(t, conn.Close())
	}
}
