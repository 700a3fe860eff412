package groq

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/supportbackend/support/internal/groq/reasoning"
)

// FinishReason says why the model stopped.
type FinishReason string

// A complete answer finishes with FinishStop or FinishLength. Every other reason is a failure: function_call counts as
// tool_calls, DeepSeek's insufficient_system_resource as no_resources, and unknown reasons as other.
const (
	FinishStop          FinishReason = "stop"
	FinishLength        FinishReason = "length"
	finishContentFilter FinishReason = "content_filter"
	finishToolCalls     FinishReason = "tool_calls"
	finishNoResources   FinishReason = "no_resources"
	finishOther         FinishReason = "other"
)

// Usage counts tokens as upstream reports them; all zero if it reported none.
type Usage struct {
	PromptTokens     int
	CompletionTokens int
	TotalTokens      int
	// ReasoningTokens is the part of CompletionTokens that the model used for reasoning.
	ReasoningTokens int
	// CachedTokens is the part of PromptTokens that upstream had in its cache.
	CachedTokens int
}

// errEnd is the normal end of a finished answer. It is not io.EOF, because that may also be the cause of a lost
// connection.
var errEnd = errors.New("groq: the answer is complete")

type chunk struct {
	// Object is "error" where the chunk itself is an error object.
	Object  string          `json:"object"`
	Error   json.RawMessage `json:"error"`
	Model   string          `json:"model"`
	Choices []struct {
		Index        int    `json:"index"`
		Delta        delta  `json:"delta"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage json.RawMessage `json:"usage"`
	XGroq struct {
		ID    string          `json:"id"`
		Error json.RawMessage `json:"error"`
		Usage json.RawMessage `json:"usage"`
	} `json:"x_groq"`
}

// delta is the next piece of a choice. Its reasoning fields are only checked for presence, never decoded.
type delta struct {
	Content          json.RawMessage `json:"content"`
	Reasoning        json.RawMessage `json:"reasoning"`
	ReasoningContent json.RawMessage `json:"reasoning_content"`
	Thinking         json.RawMessage `json:"thinking"`
}

func (d delta) reasons() bool {
	return present(d.Reasoning) || present(d.ReasoningContent) || present(d.Thinking)
}

// decoder reads the content out of one response's body.
type decoder struct {
	events    eventReader
	template  template
	text      joiner
	strip     reasoning.Stripper
	maxAnswer int
	size      int
	ended     bool
	// resumed means that content came after a finish reason, so that another finish reason must follow.
	resumed bool
	// progress is called for every chunk of the answer.
	progress func()

	finish    FinishReason
	usage     Usage
	model     string
	requestID string
}

func newDecoder(r io.Reader, limits Limits) *decoder {
	return &decoder{
		events: newEventReader(r, limits.Line), maxAnswer: limits.Answer,
		progress: func() {},
	}
}

// next returns the next piece of content, which is never empty. It returns errEnd at the end of a finished answer, an
// *Error for a faulty one, and the reader's error if that failed first.
func (d *decoder) next() (string, error) {
	for !d.ended {
		ev, err := d.events.next()
		if err != nil {
			if err := d.endOfInput(err); err != nil {
				return "", err
			}
			break
		}
		text, err := d.read(ev)
		if err != nil {
			return "", err
		}
		if d.strip.Leaked {
			return "", protocolError("inline_reasoning")
		}
		if text = d.limit(text); text != "" {
			return text, nil
		}
	}
	d.ended = true
	if text := d.rest(); text != "" {
		return text, nil
	}
	return "", d.outcome()
}

// rest returns the text that was held back.
func (d *decoder) rest() string {
	return d.limit(d.strip.Push(d.text.flush()) + d.strip.Flush(d.finish == FinishStop))
}

// outcome returns errEnd for a complete answer, and otherwise the error of its finish reason.
func (d *decoder) outcome() error {
	switch {
	case d.size > 0 && (d.finish == FinishStop || d.finish == FinishLength):
		return errEnd
	case d.finish == FinishStop:
		return &Error{Kind: Empty, Code: "empty_completion", transient: true, costly: true}
	case d.finish == FinishLength:
		return &Error{Kind: NoAnswer, Code: "no_answer"}
	case d.finish == finishContentFilter:
		return &Error{Kind: Rejected, Code: "content_filter"}
	case d.finish == finishNoResources:
		return &Error{Kind: Overloaded, Code: "no_resources", transient: true}
	}
	return &Error{Kind: Protocol, Code: "finish_" + string(d.finish), transient: true, costly: true}
}

// endOfInput decides what the end of the body means. Once the model has finished, all its content has been read, and
// neither a missing [DONE] nor a lost connection takes anything away from it; but a caller who gives up has the last
// word. Before that, even an orderly end is a failure, because the answer is cut.
func (d *decoder) endOfInput(err error) error {
	own, ok := errors.AsType[*Error](err)
	switch {
	case d.finished() && (!ok || own.Kind != Cancelled):
		return nil
	case ok:
		return own
	case errors.Is(err, io.EOF):
		return &Error{Kind: Protocol, Code: "truncated", transient: true}
	}
	return err
}

// finished reports whether the model has sent a finish reason and no content after it.
func (d *decoder) finished() bool { return d.finish != "" && !d.resumed }

// limit cuts the text where the answer reaches its limit, which ends the answer.
func (d *decoder) limit(text string) string {
	if room := d.maxAnswer - d.size; len(text) > room {
		text = cutRunes(text, room)
		d.text.held, d.strip = nil, reasoning.Stripper{}
		d.finish = FinishLength
		d.ended = true
	}
	d.size += len(text)
	return text
}

// read takes in one event and returns the content it completes.
func (d *decoder) read(ev event) (string, error) {
	if ev.name == "error" || ev.name == "failed" {
		return "", errorEvent(ev.data)
	}
	switch string(bytes.TrimSpace(ev.data)) {
	case "":
		return "", nil
	case "[DONE]":
		if d.finish == "" {
			return "", &Error{Kind: Protocol, Code: "truncated", transient: true}
		}
		d.ended = true
		return "", nil
	}
	if ev.name != "" && ev.name != "message" {
		// An extension of the server. EventSource would not deliver it as a message either.
		return "", nil
	}
	if literal, ok := d.template.content(ev.data); ok {
		d.progress()
		return d.takeContent(literal)
	}
	var c chunk
	if err := json.Unmarshal(ev.data, &c); err != nil {
		return "", &Error{Kind: Protocol, Code: "malformed_chunk", cause: err}
	}
	if c.Object == "error" {
		return "", streamError(ev.data)
	}
	if present(c.Error) {
		return "", streamError(c.Error)
	}
	if present(c.XGroq.Error) {
		return "", streamError(c.XGroq.Error)
	}
	if literal, ok := c.plain(); ok {
		d.template.learn(ev.data, literal)
	}
	return d.take(c)
}

func (d *decoder) take(c chunk) (string, error) {
	if d.model == "" && modelPattern.MatchString(c.Model) {
		d.model = c.Model
	}
	if d.requestID == "" && requestIDPattern.MatchString(c.XGroq.ID) {
		d.requestID = c.XGroq.ID
	}
	// Groq reports the same usage up to three times, the last time with the most detail, so the last one counts.
	d.takeUsage(c.XGroq.Usage)
	d.takeUsage(c.Usage)
	var content strings.Builder
	for _, choice := range c.Choices {
		if choice.Index != 0 {
			continue
		}
		d.progress()
		if choice.Delta.reasons() {
			content.WriteString(d.strip.Separate())
		}
		if present(choice.Delta.Content) {
			if choice.Delta.Content[0] != '"' {
				return "", protocolError("malformed_chunk")
			}
			text, err := d.takeContent(choice.Delta.Content)
			if err != nil {
				return "", err
			}
			content.WriteString(text)
		}
		if choice.FinishReason != "" {
			d.finish, d.resumed = finishReason(choice.FinishReason), false
		}
	}
	return content.String(), nil
}

// takeContent returns the text that a content literal completes, without reasoning.
func (d *decoder) takeContent(literal []byte) (string, error) {
	text, err := d.text.add(literal)
	if err != nil {
		return "", &Error{Kind: Protocol, Code: "malformed_chunk", cause: err}
	}
	// Some servers finish the reasoning first, and then the answer.
	d.resumed = d.finish != ""
	return d.strip.Push(text), nil
}

// takeUsage keeps plausible usage and ignores the rest: an odd count is no reason to lose an answer.
func (d *decoder) takeUsage(raw json.RawMessage) {
	if !present(raw) {
		return
	}
	var u struct {
		PromptTokens     uint32 `json:"prompt_tokens"`
		CompletionTokens uint32 `json:"completion_tokens"`
		TotalTokens      uint32 `json:"total_tokens"`
		PromptDetails    struct {
			CachedTokens uint32 `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		CompletionDetails struct {
			ReasoningTokens uint32 `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
	}
	if json.Unmarshal(raw, &u) != nil {
		return
	}
	d.usage = Usage{
		PromptTokens:     int(u.PromptTokens),
		CompletionTokens: int(u.CompletionTokens),
		TotalTokens:      int(u.TotalTokens),
		ReasoningTokens:  int(u.CompletionDetails.ReasoningTokens),
		CachedTokens:     int(u.PromptDetails.CachedTokens),
	}
}

// errorEvent returns the error for an event named error, whatever its data.
func errorEvent(data []byte) *Error {
	var c chunk
	if json.Unmarshal(data, &c) == nil && present(c.Error) {
		return streamError(c.Error)
	}
	return streamError(data)
}

func finishReason(reason string) FinishReason {
	switch r := FinishReason(reason); r {
	case FinishStop, FinishLength, finishContentFilter, finishToolCalls:
		return r
	case "function_call":
		return finishToolCalls
	case "insufficient_system_resource":
		return finishNoResources
	default:
		return finishOther
	}
}

func present(raw json.RawMessage) bool {
	return len(raw) > 0 && string(raw) != "null" && string(raw) != `""`
}

var (
	modelPattern     = regexp.MustCompile(`^[A-Za-z0-9._:/@-]{1,128}$`)
	requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
)
