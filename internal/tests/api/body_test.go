package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/httpapi/contract"
	"github.com/supportbackend/support/internal/testing/apitest"
)

// patience is how long a test waits for a response that should come immediately.
const patience = time.Minute

func pad(body string, size int) string {
	return body + strings.Repeat(" ", size-len(body))
}

// connection is a plain TCP connection, for requests that no HTTP client would send.
type connection struct {
	net.Conn
	reader *bufio.Reader
}

// dial connects to the server at the URL. The connection is closed when the test ends.
func dial(t *testing.T, url string) connection {
	t.Helper()
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return connection{Conn: conn, reader: bufio.NewReader(conn)}
}

// begin sends the head of a request.
func (c *cast) begin(t *testing.T, o call, header ...string) connection {
	t.Helper()
	conn := dial(t, c.URL)
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: support\r\nAuthorization: Bearer %s\r\n", o.method, o.path, o.by.Token)
	if o.role == "" {
		head = fmt.Sprintf("%s %s HTTP/1.1\r\nHost: support\r\n", o.method, o.path)
	}
	for _, line := range header {
		head += line + "\r\n"
	}
	_, err := io.WriteString(conn, head+"\r\n")
	require.NoError(t, err)
	return conn
}

// answer reads the response. closes reports whether the server said that it ends the connection.
func (c connection) answer(t *testing.T) (response apitest.Response, closes bool) {
	t.Helper()
	r, err := http.ReadResponse(c.reader, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	return apitest.Response{Status: r.StatusCode, Header: r.Header, Body: body}, r.Close
}

// bodyLimit returns the operation's limit of the body, in bytes.
func (c call) bodyLimit() int {
	return int(contract.BodyLimit(c.RequestBody.Value.Content["application/json"].Schema.Value))
}

func TestLongestTextsFitTheBodyLimitHoweverTheyAreEscaped(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	emoji := func(n int) string { return strings.Repeat(`\ud83d\ude00`, n) }
	for id, body := range map[string]string{
		"createTicket":       `{"title":"` + emoji(200) + `","description":"` + emoji(10000) + `"}`,
		"createMessage":      `{"content":"` + emoji(8000) + `"}`,
		"putMessageFeedback": `{"rating":"up","comment":"` + emoji(2000) + `"}`,
	} {
		c := d.call(t, id)
		requireTaken(t, c, d.do(t, c, body, jsonType))
		require.LessOrEqual(t, len(body), c.bodyLimit())
	}
	for _, c := range d.writes(t) {
		require.Contains(t, []int{64 << 10, 128 << 10, 256 << 10}, c.bodyLimit(), "%s: the contract names the limits", c.OperationID)
	}
}

func TestBodyOfTheLargestSizeIsAccepted(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for _, c := range d.writes(t) {
		requireTaken(t, c, d.do(t, c, pad(c.body, c.bodyLimit()), jsonType))
	}
}

func TestBodyOneByteTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, c := range d.writes(t) {
		tooLarge := pad(c.body, c.bodyLimit()+1)
		t.Run(c.OperationID+" with its length", func(t *testing.T) {
			r := d.do(t, c, tooLarge, jsonType)
			requireRefused(t, r, http.StatusRequestEntityTooLarge, client.ProblemCodePayloadTooLarge)
		})
		t.Run(c.OperationID+" in chunks", func(t *testing.T) {
			conn := d.begin(t, c, jsonType, "Transfer-Encoding: chunked")
			// The last chunk never comes: the response must not wait for it.
			_, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(tooLarge), tooLarge)
			require.NoError(t, err)
			r, closes := conn.answer(t)
			requireRefused(t, r, http.StatusRequestEntityTooLarge, client.ProblemCodePayloadTooLarge)
			require.True(t, closes)
		})
	}
}

func TestBodyOfOneGigabyteIsRefusedUnread(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, c := range d.writes(t) {
		for name, header := range map[string][]string{
			"sent at once":       {jsonType, "Content-Length: 1073741824"},
			"sent when welcomed": {jsonType, "Content-Length: 1073741824", "Expect: 100-continue"},
		} {
			t.Run(c.OperationID+" "+name, func(t *testing.T) {
				// No byte of the body is sent, so the response cannot depend on it.
				conn := d.begin(t, c, header...)
				r, closes := conn.answer(t)
				requireRefused(t, r, http.StatusRequestEntityTooLarge, client.ProblemCodePayloadTooLarge)
				require.True(t, closes)
				_, err := conn.reader.ReadByte()
				require.ErrorIs(t, err, io.EOF)
			})
		}
	}
}

func TestIncompleteBodyIsMalformed(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	d.keepStored(t)
	for _, c := range d.writes(t) {
		conn := d.begin(t, c, jsonType, "Transfer-Encoding: chunked")
		_, err := fmt.Fprintf(conn, "%x\r\n%s\r\nno chunk\r\n", len(c.body), c.body)
		require.NoError(t, err)
		r, _ := conn.answer(t)
		requireRefused(t, r, http.StatusBadRequest, client.ProblemCodeMalformedRequest)
	}
}

func TestLoginAcceptsTheOAuthForm(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for _, form := range []string{
		"username=USER&password=correct+horse+battery",
		"username=USER&password=correct%20horse%20battery&grant_type=password&scope=&client_id=&client_secret=",
		"grant_type=password&scope=user+admin&password=correct+horse+battery&username=USER",
	} {
		form = strings.ReplaceAll(form, "USER", d.owner.Email)
		r := d.do(t, d.call(t, "logIn"), form, formType+"; charset=utf-8")
		require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
	}
	r := d.do(t, d.call(t, "logIn"), "username="+d.owner.Email+"&password="+canary, formType)
	requireRefused(t, r, http.StatusUnauthorized, client.ProblemCodeInvalidCredentials)
	require.NotEmpty(t, r.Header.Get("WWW-Authenticate"))
}

func TestLoginFormThatIsInvalidIsMalformed(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for _, form := range []string{
		"", "username=%zz" + canary, "username=%", "username=a;password=" + canary, "username=a&password=%4",
	} {
		r := d.do(t, d.call(t, "logIn"), form, formType)
		requireRefused(t, r, http.StatusBadRequest, client.ProblemCodeMalformedRequest)
	}
}

func TestLoginFormThatBreaksARuleIsRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	for name, test := range map[string]struct {
		form string
		want []string
	}{
		"a user name twice":   {"username=a&username=" + canary + "&password=x", []string{"/username duplicate", "/username required"}},
		"a password twice":    {"username=a&password=x&password=" + canary, []string{"/password duplicate", "/password required"}},
		"no password":         {"username=" + canary, []string{"/password required"}},
		"no user name":        {"password=" + canary, []string{"/username required"}},
		"an empty password":   {"username=" + canary + "&password=", []string{"/password too_short"}},
		"an unknown field":    {"username=a&password=x&role=" + canary, []string{"/role unknown"}},
		"another case":        {"Username=" + canary + "&username=a&password=x", []string{"/Username unknown"}},
		"a name to be quoted": {"username=a&password=x&a%2Fb~c=" + canary, []string{"/a~1b~0c unknown"}},
		"another grant":       {"username=a&password=x&grant_type=" + canary, []string{"/grant_type not_allowed"}},
		"NUL":                 {"username=a%00" + canary + "&password=x", []string{"/username invalid_characters"}},
		"no UTF-8":            {"username=a&password=%ff" + canary, []string{"/password invalid_characters"}},
		"too long a password": {"username=a&password=" + canary + strings.Repeat("x", 512), []string{"/password too_long"}},
		"JSON":                {`{"email":"a","password":"x"}`, []string{`/{"email":"a","password":"x"} unknown`, "/password required", "/username required"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := d.do(t, d.call(t, "logIn"), test.form, formType)
			problem := r.RequireProblem(t, http.StatusUnprocessableEntity, client.ProblemCodeValidationFailed)
			require.NotContains(t, string(r.Body), canary)
			require.NotEmpty(t, problem.Errors)
			for _, field := range problem.Errors {
				require.Contains(t, test.want, field.Pointer+" "+string(field.Code))
			}
		})
	}
}

func TestCredentialsInTheAddressAreRefused(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	c := d.call(t, "logIn")
	c.path += "?username=" + d.owner.Email
	r := d.do(t, c, "password=correct+horse+battery", formType)
	requireRefused(t, r, http.StatusBadRequest, client.ProblemCodeInvalidParameter, "/username unknown")
}
