package groq

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// decoded is the result of decoding a body.
type decoded struct {
	text      string
	deltas    []string
	finish    FinishReason
	usage     Usage
	model     string
	requestID string
	fault     Error
}

// decode reads a body to its end, with the decoder's limits only.
func decode(r io.Reader, limits Limits) decoded {
	d := newDecoder(r, limits)
	var out decoded
	for {
		text, err := d.next()
		if err != nil {
			if own, ok := errors.AsType[*Error](err); ok {
				out.fault = *own
				out.fault.cause, out.fault.Message = nil, ""
			} else if !errors.Is(err, errEnd) {
				out.fault = Error{Kind: "foreign", Code: err.Error()}
			}
			break
		}
		out.deltas = append(out.deltas, text)
		out.text += text
	}
	out.finish, out.usage, out.model, out.requestID = d.finish, d.usage, d.model, d.requestID
	return out
}

const (
	stop = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	done = "data: [DONE]\n\n"
)

// say returns an event with content, given as the inside of a JSON string.
func say(content string) string {
	return `data: {"choices":[{"index":0,"delta":{"content":"` + content + `"}}]}` + "\n\n"
}

// finish returns the last chunk of an answer.
func finish(reason string) string { return strings.Replace(stop, `"stop"`, `"`+reason+`"`, 1) }

var answers = map[string]struct {
	body, text string
}{
	"plain":                           {say("Hel") + say("lo") + stop + done, "Hello"},
	"carriage returns":                {strings.ReplaceAll(say("Hel")+say("lo")+stop+done, "\n", "\r"), "Hello"},
	"carriage returns and line feeds": {strings.ReplaceAll(say("Hel")+say("lo")+stop+done, "\n", "\r\n"), "Hello"},
	"mixed line ends":                 {strings.TrimSuffix(say("Hel"), "\n\n") + "\r\r\n" + strings.TrimSuffix(say("lo"), "\n\n") + "\n\r\n" + stop + done, "Hello"},
	"byte order mark":                 {"\uFEFF" + say("Hello") + stop + done, "Hello"},
	"comments":                        {": hi\n\n:\n" + say("Hello") + ": ping\n\n" + stop + done, "Hello"},
	"no space after the colon":        {strings.ReplaceAll(say("Hello")+stop+done, "data: ", "data:"), "Hello"},
	"several data lines": {
		"data: {\"choices\":\ndata: [{\"delta\":{\"content\":\n: comment\ndata: \"Hello\"}}]}\n\n" + stop + done, "Hello",
	},
	"unknown fields":              {"id: 7\nretry: 1\nfoo\nfoo: bar\n" + say("Hello") + stop + done, "Hello"},
	"unknown members":             {`data: {"new":{"a":[1]},"choices":[{"delta":{"content":"Hello","new":1},"new":null}]}` + "\n\n" + stop + done, "Hello"},
	"events without data":         {"event: ping\n\nevent: x\n\n" + say("Hello") + "data\n\n" + stop + done, "Hello"},
	"unknown named event":         {"event: ping\ndata: {\"x\":1}\n\n" + say("Hello") + stop + done, "Hello"},
	"event named message":         {"event: message\n" + say("Hello") + stop + done, "Hello"},
	"role only":                   {`data: {"choices":[{"delta":{"role":"assistant"}}]}` + "\n\n" + say("Hello") + stop + done, "Hello"},
	"null content":                {`data: {"choices":[{"delta":{"content":null},"finish_reason":null}]}` + "\n\n" + say("Hello") + stop + done, "Hello"},
	"empty choices":               {`data: {"choices":[]}` + "\n\n" + say("Hello") + stop + done, "Hello"},
	"null chunk":                  {"data: null\n\n" + say("Hello") + stop + done, "Hello"},
	"no error":                    {`data: {"error":null,"x_groq":{"error":""},"choices":[]}` + "\n\n" + say("Hello") + stop + done, "Hello"},
	"reasoning is dropped":        {`data: {"choices":[{"delta":{"reasoning":"hm","channel":"analysis"}}]}` + "\n\n" + say("Hello") + stop + done, "Hello"},
	"another choice":              {`data: {"choices":[{"index":1,"delta":{"content":"no"}}]}` + "\n\n" + say("Hello") + stop + done, "Hello"},
	"two ends":                    {say("Hello") + stop + done + done, "Hello"},
	"content after the end":       {say("Hello") + stop + done + say("no"), "Hello"},
	"finish but no end":           {say("Hello") + stop, "Hello"},
	"finish and half a line":      {say("Hello") + stop + "data: [DO", "Hello"},
	"surrogates in two deltas":    {say(`a\ud83d`) + say(`\ude00b`) + stop + done, "a😀b"},
	"surrogates in one delta":     {say(`\uD83D\uDE00`) + stop + done, "😀"},
	"surrogates around nothing":   {say(`\ud83d`) + say("") + `data: {"choices":[]}` + "\n\n" + say(`\ude00`) + stop + done, "😀"},
	"lone surrogate at the end":   {say(`a\ud83d`) + stop + done, "a\uFFFD"},
	"lone surrogate in between":   {say(`\ud83d`) + say("b") + say(`\ude00`) + stop + done, "\uFFFDb\uFFFD"},
	"two high surrogates":         {say(`\ud83d`) + say(`\ud83d`) + say(`\ude00`) + stop + done, "\uFFFD😀"},
	"escaped backslash":           {say(`\\ud83d`) + say(`\\\ud83d`) + say(`\ude00`) + stop + done, `\ud83d\😀`},
	"bytes of a character apart":  {say("\xf0\x9f") + say("\x98") + say("\x80") + stop + done, "😀"},
	"invalid bytes":               {say("a\xff\xc3(") + say("\xc3") + stop + done, "a\uFFFD\uFFFD(\uFFFD"},
	"NUL is dropped":              {say(`a\u0000b`) + say(`\u0000`) + stop + done, "ab"},
	"looks like events":           {say(`\n\nevent: done\ndata: {}\r\n\u2028<script>![](http://evil/?q=1)`) + stop + done, "\n\nevent: done\ndata: {}\r\n\u2028<script>![](http://evil/?q=1)"},
	"think tags at the beginning": {say(`<think>a</think>b`) + stop + done, "b"},
	"think tags further on stay":  {say(`Use <think>a</think>`) + stop + done, "Use <think>a</think>"},
	"finish before the answer": {
		`data: {"choices":[{"delta":{"reasoning_content":"hm"},"finish_reason":"stop"}]}` + "\n\n" + say("Hello") + stop + done, "Hello",
	},
	"finish with content": {`data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}]}` + "\n\n" + done, "Hello"},
}

func TestAnswersAreDecoded(t *testing.T) {
	t.Parallel()
	for name, c := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := decode(strings.NewReader(c.body), testLimits())
			require.Equal(t, Error{}, whole.fault)
			require.Equal(t, c.text, whole.text)
			require.Equal(t, FinishStop, whole.finish)
			require.Equal(t, whole, decode(iotest.OneByteReader(strings.NewReader(c.body)), testLimits()))
			require.Equal(t, whole, decode(iotest.DataErrReader(strings.NewReader(c.body)), testLimits()))
		})
	}
}

var faults = map[string]struct {
	body  string
	fault Error
}{
	"nothing":                 {"", Error{Kind: Protocol, Code: "truncated", transient: true}},
	"no finish":               {say("Hello"), Error{Kind: Protocol, Code: "truncated", transient: true}},
	"end without finish":      {say("Hello") + done, Error{Kind: Protocol, Code: "truncated", transient: true}},
	"finish without its line": {say("Hello") + strings.TrimSuffix(stop, "\n"), Error{Kind: Protocol, Code: "truncated", transient: true}},
	"half a line":             {say("Hello") + stop[:20], Error{Kind: Protocol, Code: "truncated", transient: true}},
	"no JSON":                 {"data: hello\n\n", Error{Kind: Protocol, Code: "malformed_chunk"}},
	"JSON and more":           {"data: {} {}\n\n", Error{Kind: Protocol, Code: "malformed_chunk"}},
	"array":                   {"data: []\n\n", Error{Kind: Protocol, Code: "malformed_chunk"}},
	"content in parts":        {`data: {"choices":[{"delta":{"content":[]}}]}` + "\n\n", Error{Kind: Protocol, Code: "malformed_chunk"}},
	"choices of another type": {`data: {"choices":7}` + "\n\n", Error{Kind: Protocol, Code: "malformed_chunk"}},
	"HTML":                    {"<html>\n\n</html>\n\n", Error{Kind: Protocol, Code: "truncated", transient: true}},
	"error event": {
		"event: error\ndata: {\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\",\"status_code\":400}}\n\n",
		Error{Kind: Protocol, Status: 400, Code: "tool_use_failed", transient: true, costly: true},
	},
	"error event of an overloaded server": {
		"event: error\ndata: {\"error\":{\"status_code\":503}}\n\n", Error{Kind: Overloaded, Status: 503, transient: true},
	},
	"error event without JSON":   {"event: error\ndata: oops\n\n", Error{Kind: Protocol, Code: "stream_error", transient: true}},
	"failed event":               {"event: failed\ndata: {\"reason\":\"x\"}\n\n", Error{Kind: Protocol, Code: "stream_error", transient: true}},
	"error object":               {`data: {"error":{"message":"m","type":"server_error"}}` + "\n\n", Error{Kind: Overloaded, transient: true}},
	"error object of no kind":    {`data: {"error":{"message":"m","code":7,"status_code":"x"}}` + "\n\n", Error{Kind: Protocol, Code: "stream_error", transient: true}},
	"error text":                 {`data: {"error":"m"}` + "\n\n", Error{Kind: Protocol, Code: "stream_error", transient: true}},
	"error in x_groq":            {`data: {"x_groq":{"error":"over capacity"}}` + "\n\n", Error{Kind: Protocol, Code: "stream_error", transient: true}},
	"error with a rate limit":    {`data: {"error":{"code":"rate_limit_exceeded"}}` + "\n\n", Error{Kind: Overloaded, Code: "rate_limit_exceeded", transient: true}},
	"error with invalid request": {`data: {"error":{"type":"invalid_request_error"}}` + "\n\n", Error{Kind: Rejected}},
	"error after the finish":     {say("Hello") + stop + `data: {"error":{"type":"server_error"}}` + "\n\n", Error{Kind: Overloaded, transient: true}},
	"code that quotes":           {`data: {"error":{"code":"my secret!"}}` + "\n\n", Error{Kind: Protocol, Code: "stream_error", transient: true}},
	"stop without content":       {stop + done, Error{Kind: Empty, Code: "empty_completion", transient: true, costly: true}},
	"only NUL":                   {say(`\u0000`) + stop + done, Error{Kind: Empty, Code: "empty_completion", transient: true, costly: true}},
	"reasoning used the budget": {
		`data: {"choices":[{"delta":{"reasoning":"hm"},"finish_reason":"length"}]}` + "\n\n" + done, Error{Kind: NoAnswer, Code: "no_answer"},
	},
	"inline reasoning used the budget": {say("<think>hm") + finish("length"), Error{Kind: NoAnswer, Code: "no_answer"}},
	"filtered":                         {finish("content_filter") + done, Error{Kind: Rejected, Code: "content_filter"}},
	"filtered in the middle":           {say("Hello") + finish("content_filter") + done, Error{Kind: Rejected, Code: "content_filter"}},
	"aborted":                          {say("Hello") + finish("abort") + done, Error{Kind: Protocol, Code: "finish_other", transient: true, costly: true}},
	"broken off":                       {say("Hello") + finish("error") + done, Error{Kind: Protocol, Code: "finish_other", transient: true, costly: true}},
	"a tool's call":                    {finish("tool_calls") + done, Error{Kind: Protocol, Code: "finish_tool_calls", transient: true, costly: true}},
	"no resources":                     {say("Hello") + finish("insufficient_system_resource") + done, Error{Kind: Overloaded, Code: "no_resources", transient: true}},
	"content after the finish":         {finish("stop") + say("Hello"), Error{Kind: Protocol, Code: "truncated", transient: true}},
	"chunk that is an error": {
		`data: {"object":"error","message":"This model's maximum context length is 9 tokens.","type":"BadRequestError","code":400}` + "\n\n",
		Error{Kind: TooLarge, Status: 400},
	},
}

func TestFaultsAreReported(t *testing.T) {
	t.Parallel()
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := decode(strings.NewReader(c.body), testLimits())
			require.Equal(t, c.fault, whole.fault)
			require.Equal(t, whole, decode(iotest.OneByteReader(strings.NewReader(c.body)), testLimits()))
		})
	}
}

func TestUsageIsTheLastOne(t *testing.T) {
	t.Parallel()
	body := `data: {"model":"openai/gpt-oss-120b","created":1,"x_groq":{"id":"req_1","usage":{"total_tokens":1}},"usage":{"total_tokens":2}}` + "\n\n" +
		say("a") + stop +
		`data: {"model":"other","created":4,"choices":[],"usage":{"prompt_tokens":45,"completion_tokens":6,"total_tokens":51,"queue_time":0.1,` +
		`"prompt_tokens_details":{"cached_tokens":40},"completion_tokens_details":{"reasoning_tokens":5}}}` + "\n\n" +
		`data: {"choices":[],"usage":{"total_tokens":-1}}` + "\n\n" + `data: {"choices":[],"usage":"many"}` + "\n\n" + done
	out := decode(strings.NewReader(body), testLimits())
	require.Equal(t, Error{}, out.fault)
	require.Equal(t, Usage{PromptTokens: 45, CompletionTokens: 6, TotalTokens: 51, ReasoningTokens: 5, CachedTokens: 40}, out.usage)
	require.Equal(t, "openai/gpt-oss-120b", out.model)
	require.Equal(t, "req_1", out.requestID)
}

func TestFinishReasonsAreAClosedList(t *testing.T) {
	t.Parallel()
	for upstream, want := range map[string]FinishReason{
		"stop": FinishStop, "length": FinishLength, "content_filter": finishContentFilter,
		"tool_calls": finishToolCalls, "function_call": finishToolCalls, "abort": finishOther,
	} {
		out := decode(strings.NewReader(say("a")+finish(upstream)+done), testLimits())
		require.Equal(t, want, out.finish)
	}
}

func TestAnswerIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	limits := testLimits()
	limits.Answer = 6
	for content, want := range map[string]string{
		"abcdef": "abcdef", "abcdefg": "abcdef", "ab😀😀": "ab😀", "abcd😀": "abcd", "žžžž": "žžž",
	} {
		out := decode(strings.NewReader(say(content[:1])+say(content[1:])+stop+done), limits)
		require.Equal(t, want, out.text)
		require.Equal(t, Error{}, out.fault)
		if content == want {
			require.Equal(t, FinishStop, out.finish)
		} else {
			require.Equal(t, FinishLength, out.finish)
		}
	}
}

func TestLinesAndEventsAreBounded(t *testing.T) {
	t.Parallel()
	limits := testLimits()
	tooLong := Error{Kind: Protocol, Code: "line_too_long"}

	fits := say(strings.Repeat("x", limits.Answer))
	require.Equal(t, Error{}, decode(strings.NewReader(fits+stop+done), limits).fault)

	source := &counting{r: strings.NewReader("data: " + strings.Repeat("x", 10<<20) + "\n\n")}
	d := newDecoder(source, limits)
	_, err := d.next()
	own, ok := errors.AsType[*Error](err)
	require.True(t, ok)
	require.Equal(t, tooLong, *own)
	require.LessOrEqual(t, source.n, limits.Line+4<<10, "the decoder reads at most the limit and a buffer")
	require.LessOrEqual(t, cap(d.events.lines.line)+cap(d.events.data), 2<<20)

	lines := strings.Repeat("data: "+strings.Repeat("x", 1<<10)+"\n", 2<<10)
	require.Equal(t, tooLong, decode(strings.NewReader(lines), limits).fault)
}

// counting counts the bytes that are read.
type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}
