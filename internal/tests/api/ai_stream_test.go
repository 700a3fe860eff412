package api_test

import (
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"testing"

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

	conn := dial(t, s.URL)
	_, err := fmt.Fprintf(conn, "GET /tickets/%s/ai-response HTTP/1.1\r\nHost: support\r\nAuthorization: Bearer %s\r\n\r\n", ticket.ID, user.Token)
	require.NoError(t, err)
	lines := textproto.NewReader(conn.reader)
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
	_, err = io.ReadFull(conn.reader, chunk)
	require.NoError(t, err)
	for _, part := range []string{"retry: ", "event: start\n", "Hello", "event: done\n"} {
		require.Contains(t, string(chunk), part)
	}
}
