package sdktest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
)

var (
	ticketID   = uuid.MustParse("0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22")
	responseID = uuid.MustParse("0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7")
)

// upstream answers requests without a network, so that tests can run on synctest's clock.
type upstream func(*http.Request) (*http.Response, error)

func (u upstream) Do(r *http.Request) (*http.Response, error) {
	if end, ok := r.Context().Value(endKey{}).(context.CancelFunc); ok {
		defer end()
	}
	return u(r)
}

// endKey is the context key of the function that ends a method after its first request.
type endKey struct{}

func newSupport(t *testing.T, u upstream, options ...client.Option) *client.Support {
	t.Helper()
	support, err := client.New(append([]client.Option{
		client.WithBaseURL("https://support.example.com"), client.WithToken("access-1"), client.WithHTTPClient(u),
	}, options...)...)
	require.NoError(t, err)
	return support
}

func streamOf(body io.Reader) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(body),
	}
}

func frame(seq int, name, data string) string {
	return fmt.Sprintf("id: %s:%d\nevent: %s\ndata: %s\n\n", responseID, seq, name, data)
}

func delta(seq int, text string) string {
	return fmt.Sprintf("id: %s:%d\ndata: {\"type\":\"delta\",\"content\":%q}\n\n", responseID, seq, text)
}

// answerFrom returns the stream of one answer after the event with this number.
func answerFrom(seq int) string {
	frames := []string{
		delta(1, "Grüß"), delta(2, " 👋"), frame(3, "reset", `{"type":"reset","attempt":2}`), delta(4, "Grüße"),
		frame(5, "failed", fmt.Sprintf(`{"type":"failed","ai_response_id":%q,"code":"cancelled","detail":"–","retryable":true}`, responseID)),
	}
	start := fmt.Sprintf("event: start\ndata: {\"type\":\"start\",\"ai_response_id\":%q,\"ticket_id\":%q,\"model\":\"m\",\"attempt\":1}\n\n",
		responseID, ticketID)
	return "retry: 100\n\n" + start + strings.Join(frames[seq:], "")
}

// hanging is a body that sends nothing until its request is cancelled.
type hanging struct{ ctx context.Context }

func (h hanging) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

// ticking is a body that sends a keep-alive comment again and again.
type ticking struct{ left int }

func (k *ticking) Read(p []byte) (int, error) {
	if k.left == 0 {
		return 0, io.EOF
	}
	k.left--
	<-time.After(15 * time.Second)
	return copy(p, ": keep-alive\n\n"), nil
}

// alive is a body that can be read until its request is cancelled.
type alive struct {
	ctx context.Context
	io.Reader
}

func (a alive) Read(p []byte) (int, error) {
	if err := a.ctx.Err(); err != nil {
		return 0, err
	}
	return a.Reader.Read(p)
}
