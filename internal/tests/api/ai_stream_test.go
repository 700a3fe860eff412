package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/desk"
)

func TestEventsThatAreThereAreSentTogether(t *testing.T) {
	t.Parallel()
	s := desk.New(t, desk.Options{})
	user := s.Customer(t)
	ticket := user.NewTicket(t)
	enqueue(t, s, groqsim.Script{Text: "Hello"})
	user.Stream(t, ticket.ID).ReadAll()

	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(conn, "GET /tickets/%s/ai-response HTTP/1.1\r\nHost: support\r\nAuthorization: Bearer %s\r\n\r\n", ticket.ID, user.Token)
	require.NoError(t, err)
	reader := bufio.NewReader(conn)
	lines := textproto.NewReader(reader)
	status, err := lines.ReadLine()
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 200 OK", status)
	_, err = lines.ReadMIMEHeader()
	require.NoError(t, err)
	// The server sends a chunk with each flush (RFC 9112, section 7.1).
	line, err := lines.ReadLine()
	require.NoError(t, err)
	size, err := strconv.ParseInt(line, 16, 32)
	require.NoError(t, err)
	chunk := make([]byte, size)
	_, err = io.ReadFull(reader, chunk)
	require.NoError(t, err)
	for _, part := range []string{"retry: ", "event: start\n", "Hello", "event: done\n"} {
		require.Contains(t, string(chunk), part)
	}
}
