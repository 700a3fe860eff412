package uistream_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/httpapi/uistream"
)

var (
	responseID = uuid.MustParse("0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7")
	ticketID   = uuid.MustParse("0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22")

	begin = eventlog.Start{Response: sqlc.AIResponse{ID: responseID}}
	done  = eventlog.Done{Message: sqlc.Message{CreatedAt: time.Unix(0, 0)}}
)

func delta(text string) eventlog.Event { return eventlog.Delta{Content: text} }

func failed(code apperr.Code) eventlog.Event {
	return eventlog.Failed{Err: apperr.New(code, "Why.")}
}

var convert = uistream.Convert{
	Problem: func(err *apperr.Error) api.UIData {
		return api.UIData{Code: api.ProblemCode(err.Code), Detail: err.Detail}
	},
	Metadata: func(eventlog.Done) api.UIMessageMetadata {
		return api.UIMessageMetadata{Author: api.MessageAuthorKindAI, CreatedAt: "then", FinishReason: api.FinishReasonLength}
	},
}

// read summarizes a stream: the type of each frame, and its important members.
func read(t *testing.T, frames ...[]byte) []string {
	t.Helper()
	text := string(joined(frames))
	require.NotContains(t, text, "\r")
	require.NotContains(t, text, "event:")
	var words []string
	for frame := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		require.NotContains(t, frame, "\n", "a frame is one line")
		data, isData := strings.CutPrefix(frame, "data: ")
		if !isData {
			require.True(t, strings.HasPrefix(frame, ": "), frame)
			continue
		}
		words = append(words, word(t, data))
	}
	return words
}

func joined(frames [][]byte) (all []byte) {
	for _, frame := range frames {
		all = append(all, frame...)
	}
	return all
}

func word(t *testing.T, data string) string {
	t.Helper()
	if data == "[DONE]" {
		return data
	}
	var frame map[string]any
	require.NoError(t, json.Unmarshal([]byte(data), &frame))
	words := []string{}
	for _, name := range []string{"type", "id", "delta", "errorText", "finishReason", "reason", "message", "code", "name", "transient"} {
		if value, ok := frame[name]; ok {
			words = append(words, fmt.Sprint(value))
		}
	}
	for _, id := range []string{"messageId", "threadId"} {
		if value, ok := frame[id]; ok {
			require.Contains(t, []any{responseID.String(), ticketID.String()}, value)
		}
	}
	for _, object := range []string{"data", "value", "messages"} {
		if value, ok := frame[object]; ok {
			words = append(words, string(encoded(t, value)))
		}
	}
	return strings.Join(words, " ")
}

func encoded(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return text
}

func TestEventsInEveryFormat(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		events       []eventlog.Event
		v5, v7, agui string
	}{
		"an answer": {
			[]eventlog.Event{begin, delta("Hel"), delta("lo <b>"), done},
			"start|start-step|text-start 1|text-delta 1 Hel|text-delta 1 lo <b>|text-end 1|finish-step|finish|[DONE]",
			"start|start-step|text-start 1|text-delta 1 Hel|text-delta 1 lo <b>|text-end 1|finish-step|finish length|[DONE]",
			"RUN_STARTED|TEXT_MESSAGE_START|TEXT_MESSAGE_CONTENT Hel|TEXT_MESSAGE_CONTENT lo <b>|TEXT_MESSAGE_END|RUN_FINISHED",
		},
		"another attempt before any text": {
			[]eventlog.Event{begin, eventlog.Reset{Attempt: 2}, delta("Hello"), done},
			"start|start-step|text-start 1|text-delta 1 Hello|text-end 1|finish-step|finish|[DONE]",
			"start|start-step|text-start 1|text-delta 1 Hello|text-end 1|finish-step|finish length|[DONE]",
			"RUN_STARTED|TEXT_MESSAGE_START|TEXT_MESSAGE_CONTENT Hello|TEXT_MESSAGE_END|RUN_FINISHED",
		},
		"two more attempts": {
			[]eventlog.Event{begin, delta("Hel"), eventlog.Reset{Attempt: 2}, eventlog.Reset{Attempt: 3}, delta("Hello"), done},
			`start|start-step|text-start 1|text-delta 1 Hel|text-end 1|data-attempt {"attempt":2}|data-attempt {"attempt":3}|` +
				"text-start 2|text-delta 2 Hello|text-end 2|finish-step|finish|[DONE]",
			"start|start-step|text-start 1|text-delta 1 Hel|reset-step|reset-step|text-start 2|text-delta 2 Hello|text-end 2|" +
				"finish-step|finish length|[DONE]",
			"RUN_STARTED|TEXT_MESSAGE_START|TEXT_MESSAGE_CONTENT Hel|TEXT_MESSAGE_END|" +
				`MESSAGES_SNAPSHOT [{"content":"Hi","id":"m","role":"user"}]|` +
				"TEXT_MESSAGE_START|TEXT_MESSAGE_CONTENT Hello|TEXT_MESSAGE_END|RUN_FINISHED",
		},
		"stopped": {
			[]eventlog.Event{begin, delta("Hel"), failed(apperr.Cancelled)},
			"start|start-step|text-start 1|text-delta 1 Hel|text-end 1|abort|[DONE]",
			"start|start-step|text-start 1|text-delta 1 Hel|text-end 1|abort The answer was stopped.|[DONE]",
			"RUN_STARTED|TEXT_MESSAGE_START|TEXT_MESSAGE_CONTENT Hel|TEXT_MESSAGE_END|RUN_ERROR Why. cancelled",
		},
		"taken over by staff": {
			[]eventlog.Event{begin, delta("Hel"), failed(apperr.Superseded)},
			"start|start-step|text-start 1|text-delta 1 Hel|text-end 1|" +
				`data-failed true {"code":"superseded","detail":"Why."}|error Why.|[DONE]`,
			"start|start-step|text-start 1|text-delta 1 Hel|text-end 1|" +
				`data-failed true {"code":"superseded","detail":"Why."}|error Why.|[DONE]`,
			"RUN_STARTED|TEXT_MESSAGE_START|TEXT_MESSAGE_CONTENT Hel|TEXT_MESSAGE_END|RUN_ERROR Why. superseded",
		},
		"failed without a word": {
			[]eventlog.Event{begin, failed(apperr.AITimeout)},
			`start|start-step|data-failed true {"code":"ai_timeout","detail":"Why."}|error Why.|[DONE]`,
			`start|start-step|data-failed true {"code":"ai_timeout","detail":"Why."}|error Why.|[DONE]`,
			"RUN_STARTED|RUN_ERROR Why. ai_timeout",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for want, encoder := range encoders(test.v5, test.v7, test.agui) {
				stream := [][]byte{encoder.Begin()}
				for _, event := range test.events {
					stream = append(stream, bytes.Clone(encoder.Frame(eventlog.Entry{Event: event})))
				}
				require.Equal(t, want, strings.Join(read(t, stream...), "|"))
			}
		})
	}
}

// encoders yields an encoder of each format with its expected output.
func encoders(v5, v7, agui string) func(yield func(string, uistream.Encoder) bool) {
	return func(yield func(string, uistream.Encoder) bool) {
		// The answer may have been stored before a reader gets to the reset.
		conversation := func() ([]api.AGUIMessage, error) {
			return []api.AGUIMessage{
				{ID: "m", Role: api.AGUIMessageRoleUser, Content: "Hi"},
				{ID: responseID.String(), Role: api.AGUIMessageRoleAssistant, Content: "Hello"},
			}, nil
		}
		_ = yield(v5, uistream.NewChat(uistream.V5, convert)) &&
			yield(v7, uistream.NewChat(uistream.V7, convert)) &&
			yield(agui, uistream.NewRun(ticketID, "run", conversation, convert))
	}
}

func TestCutStreamDoesNotLookFinished(t *testing.T) {
	t.Parallel()
	const chat = `start|start-step|text-start 1|text-delta 1 Hel|text-end 1|data-failed true {"code":"draining","detail":"Later."}|error Later.|[DONE]`
	for want, encoder := range encoders(chat, chat,
		"RUN_STARTED|TEXT_MESSAGE_START|TEXT_MESSAGE_CONTENT Hel|TEXT_MESSAGE_END|RUN_ERROR Later. draining",
	) {
		got := read(t, encoder.Begin(), bytes.Clone(encoder.Frame(eventlog.Entry{Event: begin})),
			bytes.Clone(encoder.Frame(eventlog.Entry{Event: delta("Hel")})), encoder.BrokenOff(apperr.New(apperr.Draining, "Later.")))
		require.Equal(t, want, strings.Join(got, "|"))
	}
}

// A conversation may have a megabyte, and a server many readers.
func TestConversationIsReadForAResetOnly(t *testing.T) {
	t.Parallel()
	readings := 0
	run := uistream.NewRun(ticketID, "run", func() ([]api.AGUIMessage, error) {
		readings++
		return nil, apperr.New(apperr.DBUnavailable, "Later.")
	}, convert)
	stream := [][]byte{run.Begin()}
	for _, event := range []eventlog.Event{begin, eventlog.Reset{Attempt: 2}, delta("Hel")} {
		stream = append(stream, bytes.Clone(run.Frame(eventlog.Entry{Event: event})))
	}
	require.Zero(t, readings)
	for _, event := range []eventlog.Event{eventlog.Reset{Attempt: 3}, delta("Hello"), done} {
		stream = append(stream, bytes.Clone(run.Frame(eventlog.Entry{Event: event})))
	}
	require.Equal(t, 1, readings)
	stream = append(stream, run.BrokenOff(apperr.New(apperr.Draining, "Later.")))
	require.Equal(t, "RUN_STARTED|TEXT_MESSAGE_START|TEXT_MESSAGE_CONTENT Hel|TEXT_MESSAGE_END|RUN_ERROR Later. db_unavailable",
		strings.Join(read(t, stream...), "|"), "without the conversation, the run ends")
}

func TestMessageWithoutAnAnswerAddsNone(t *testing.T) {
	t.Parallel()
	const chat = `start|data-unanswered true {"code":"ai_disabled","detail":"Later."}|finish|[DONE]`
	for want, encoder := range encoders(chat, chat,
		`RUN_STARTED|CUSTOM unanswered {"code":"ai_disabled","detail":"Later."}|RUN_FINISHED`,
	) {
		got := read(t, encoder.Begin(), encoder.Unanswered(apperr.New(apperr.AIDisabled, "Later.")))
		require.Equal(t, want, strings.Join(got, "|"))
	}
}

// Older clients of the AI SDK end a stream at an unknown member.
func TestFramesHaveOnlyTheMembersOfTheirType(t *testing.T) {
	t.Parallel()
	members := map[string]string{
		"start": "messageId messageMetadata", "start-step": "", "text-start": "id", "text-delta": "delta id", "text-end": "id",
		"finish-step": "", "finish": "messageMetadata", "error": "errorText", "abort": "", "data-attempt": "data",
		"data-failed": "data transient",
	}
	for _, end := range []eventlog.Event{done, failed(apperr.Cancelled), failed(apperr.Superseded)} {
		encoder := uistream.NewChat(uistream.V5, convert)
		var stream []byte
		for _, event := range []eventlog.Event{begin, delta("a"), eventlog.Reset{Attempt: 2}, delta("b"), end} {
			stream = append(stream, encoder.Frame(eventlog.Entry{Event: event})...)
		}
		for line := range strings.SplitSeq(string(stream), "\n\n") {
			data := strings.TrimPrefix(line, "data: ")
			if data == "" || data == "[DONE]" {
				continue
			}
			var frame map[string]json.RawMessage
			require.NoError(t, json.Unmarshal([]byte(data), &frame))
			kind := strings.Trim(string(frame["type"]), `"`)
			require.Contains(t, members, kind)
			require.Len(t, frame, 1+len(strings.Fields(members[kind])), data)
			for _, name := range strings.Fields(members[kind]) {
				require.Contains(t, frame, name, data)
			}
		}
	}
}

// The server encodes each delta for each reader, so encoding must be cheap.
func TestDeltaIsEncodedWithoutAllocating(t *testing.T) { //nolint:paralleltest // It counts what the process allocates.
	entry := eventlog.Entry{Event: delta("Grüße 👋 \"<b>\"\n")}
	for _, encoder := range encoders("", "", "") {
		encoder.Frame(eventlog.Entry{Event: begin})
		encoder.Frame(entry)
		require.Zero(t, testing.AllocsPerRun(100, func() { encoder.Frame(entry) }))
	}
}

func TestHeadersOfAStream(t *testing.T) {
	t.Parallel()
	for version, encoder := range encoders("v1", "v1", "") {
		header := make(http.Header)
		encoder.SetHeader(header)
		require.Equal(t, "text/event-stream", header.Get("Content-Type"))
		require.Equal(t, version, header.Get("x-vercel-ai-ui-message-stream"))
	}
}

func TestOnlyTheLastMessageIsRead(t *testing.T) {
	t.Parallel()
	part := func(kind, text string) map[string]any { return map[string]any{"type": kind, "text": text} }
	for name, test := range map[string]struct {
		messages []api.ClientMessage
		want     uistream.Message
		isUsers  bool
	}{
		"none":            {nil, uistream.Message{}, false},
		"an assistant's":  {[]api.ClientMessage{{Role: "user"}, {Role: "assistant", ID: "a"}}, uistream.Message{}, false},
		"of the AI SDK":   {[]api.ClientMessage{{Role: "user"}, {Role: "user", ID: "a", Parts: []any{part("text", "b"), part("file", "c"), part("text", "d"), 1}}}, uistream.Message{ID: "a", Text: "b\nd"}, true},
		"of assistant-ui": {[]api.ClientMessage{{Role: "user", UnstableID: "a", Content: []any{part("text", "b")}}}, uistream.Message{ID: "a", Text: "b"}, true},
		"of AG-UI":        {[]api.ClientMessage{{Role: "user", ID: "a", Content: "b"}}, uistream.Message{ID: "a", Text: "b"}, true},
		"parts of AG-UI":  {[]api.ClientMessage{{Role: "user", ID: "a", Content: []any{part("text", "b")}}}, uistream.Message{ID: "a", Text: "b"}, true},
		"without an id":   {[]api.ClientMessage{{Role: "user", Content: "b"}}, uistream.Message{Text: "b"}, true},
		"with another id": {[]api.ClientMessage{{Role: "user", ID: 1.5, Content: "b"}}, uistream.Message{Text: "b"}, true},
		"with a long id":  {[]api.ClientMessage{{Role: "user", ID: strings.Repeat("a", 256), Content: "b"}}, uistream.Message{Text: "b"}, true},
		"a role's number": {[]api.ClientMessage{{Role: 1.5, Content: "b"}}, uistream.Message{}, false},
		"nothing in it":   {[]api.ClientMessage{{Role: "user", ID: "a", Parts: "x", Content: 1.5}}, uistream.Message{ID: "a"}, true},
	} {
		message, isUsers := uistream.Last(test.messages)
		require.Equal(t, test.isUsers, isUsers, name)
		require.Equal(t, test.want, message, name)
	}
}
