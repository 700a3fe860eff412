package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client/plain"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
)

// chatFormats are the protocols of chat clients.
var chatFormats = map[string]chatFormat{
	"AI SDK 5": {path: "/ui/chat", isReset: func(f frame) bool { return f.Type == "data-attempt" }},
	"AI SDK 7": {path: "/ui/v7/chat", isReset: func(f frame) bool { return f.Type == "reset-step" }},
	"AG-UI":    {path: "/ag-ui", isReset: func(f frame) bool { return f.Type == "MESSAGES_SNAPSHOT" }},
}

// chatFormat is a protocol, and how its streams retract text.
type chatFormat struct {
	path    string
	isReset func(frame) bool
}

// body returns a request that stores a message or, with the trigger regenerate-message, asks for another answer.
func (f chatFormat) body(t *testing.T, ticketID uuid.UUID, trigger string, messages ...any) string {
	t.Helper()
	messages = append([]any{}, messages...) // No messages must still be an array.
	if f.path == "/ag-ui" {
		return encode(t, map[string]any{"threadId": ticketID, "runId": "run", "messages": messages, "tools": []any{}, "state": nil})
	}
	return encode(t, map[string]any{"id": ticketID, "trigger": trigger, "messages": messages, "messageId": "m"})
}

// frame has the members of a frame that the tests read, in either protocol.
type frame struct {
	Type      string        `json:"type"`
	MessageID *uuid.UUID    `json:"messageId"`
	Delta     string        `json:"delta"`
	ErrorText string        `json:"errorText"`
	Transient bool          `json:"transient"`
	Data      *plain.UIData `json:"data"`
	Code      string        `json:"code"`
	Message   string        `json:"message"`
	Name      string        `json:"name"`
	Value     *plain.UIData `json:"value"`
}

// chatStream is a chat client's stream.
type chatStream struct {
	*http.Response
	t       *testing.T
	format  chatFormat
	lines   *bufio.Scanner
	hangUp  context.CancelFunc
	frames  []frame
	text    string
	message uuid.UUID
}

// openChat sends a request. The response may be a stream.
func openChat(t *testing.T, u *apitest.User, s *desk.Desk, format chatFormat, method, path, body string) *chatStream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+u.Token)
	request.Header.Set("Accept", "*/*")
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := s.HTTP.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	stream := &chatStream{Response: response, t: t, format: format, lines: bufio.NewScanner(response.Body), hangUp: cancel}
	stream.lines.Buffer(nil, 1<<20)
	return stream
}

// say sends a message in a ticket.
func (f chatFormat) say(t *testing.T, u *apitest.User, s *desk.Desk, ticketID uuid.UUID, id, text string) *chatStream {
	t.Helper()
	return openChat(t, u, s, f, http.MethodPost, f.path, f.body(t, ticketID, "submit-message", clientText(id, text)))
}

// next returns the next frame, and false at the end.
func (c *chatStream) next() (frame, bool) {
	c.t.Helper()
	require.Equal(c.t, http.StatusOK, c.StatusCode)
	for c.lines.Scan() {
		data, isData := strings.CutPrefix(c.lines.Text(), "data: ")
		if !isData {
			require.Regexp(c.t, `^(: .*)?$`, c.lines.Text())
			continue
		}
		var f frame
		if data == "[DONE]" {
			f.Type = data
		} else {
			require.NoError(c.t, json.Unmarshal([]byte(data), &f), data)
		}
		c.add(f)
		return f, true
	}
	require.NoError(c.t, c.lines.Err())
	return frame{}, false
}

func (c *chatStream) add(f frame) {
	c.frames = append(c.frames, f)
	c.text += f.Delta
	if c.format.isReset(f) {
		c.text = ""
	}
	if f.MessageID != nil {
		c.message = *f.MessageID
	}
}

// until reads until the whole text so far is this one.
func (c *chatStream) until(text string) {
	c.t.Helper()
	for c.text != text {
		_, more := c.next()
		require.True(c.t, more, "the stream has ended after %q", c.text)
	}
}

// readAll reads to the end, and returns the last frame before the protocol's terminator.
func (c *chatStream) readAll() frame {
	c.t.Helper()
	for more := true; more; {
		_, more = c.next()
	}
	last := c.frames[len(c.frames)-1]
	if c.format.path != "/ag-ui" {
		require.Equal(c.t, "[DONE]", last.Type)
		last = c.frames[len(c.frames)-2]
	}
	return last
}

// requireAnswered checks that the stream ends with an answer.
func (c *chatStream) requireAnswered() {
	c.t.Helper()
	require.Contains(c.t, []string{"finish", "RUN_FINISHED"}, c.readAll().Type)
	require.NotEmpty(c.t, c.text)
}

// requireFailed checks that the stream ends without an answer and with this code.
func (c *chatStream) requireFailed(code string) {
	c.t.Helper()
	last := c.readAll()
	if c.format.path == "/ag-ui" {
		require.Equal(c.t, []string{"RUN_ERROR", code}, []string{last.Type, last.Code})
		require.NotEmpty(c.t, last.Message)
		return
	}
	if code == "cancelled" {
		require.Equal(c.t, "abort", last.Type)
		return
	}
	require.Equal(c.t, "error", last.Type)
	require.NotEmpty(c.t, last.ErrorText)
	failed := c.frames[len(c.frames)-3]
	require.Equal(c.t, "data-failed", failed.Type)
	require.Equal(c.t, code, string(failed.Data.Code))
}

// response reads the whole response of a refused request.
func (c *chatStream) response() apitest.Response {
	c.t.Helper()
	body, err := io.ReadAll(c.Body)
	require.NoError(c.t, err)
	return apitest.Response{Status: c.StatusCode, Header: c.Header, Body: body}
}

// chatHistory returns the conversation as a chat client gets it: the role, author, id and text of each message.
func chatHistory(t *testing.T, u *apitest.User, ticketID uuid.UUID) (lines []string) {
	t.Helper()
	got := u.Do(t, http.MethodGet, fmt.Sprintf("/ui/chat/%s/messages", ticketID), "")
	require.Equal(t, http.StatusOK, got.Status, "%s", got.Body)
	var messages []plain.UIMessage
	require.NoError(t, json.Unmarshal(got.Body, &messages))
	for _, m := range messages {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", m.Role, m.Metadata.Author, m.ID, m.Parts[0].Text))
	}
	return lines
}
