package groq

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
)

// FinishReason says why the model stopped.
type FinishReason string

// The reasons a stream can finish with. A server's function_call is FinishToolCalls, and one that is not in OpenAI's
// list is FinishOther.
const (
	FinishStop          FinishReason = "stop"
	FinishLength        FinishReason = "length"
	FinishContentFilter FinishReason = "content_filter"
	FinishToolCalls     FinishReason = "tool_calls"
	FinishOther         FinishReason = "other"
)

// Usage counts tokens as upstream reports them; all zero if it reported none.
type Usage struct {
	PromptTokens     int
	CompletionTokens int
	TotalTokens      int
	// ReasoningTokens is the part of CompletionTokens that the model thought with.
	ReasoningTokens int
	// CachedTokens is the part of PromptTokens that upstream had in its cache.
	CachedTokens int
}

type chunk struct {
	Error   json.RawMessage `json:"error"`
	Model   string          `json:"model"`
	Choices []struct {
		Index int `json:"index"`
		Delta struct {
			Content json.RawMessage `json:"content"`
		} `json:"delta"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage json.RawMessage `json:"usage"`
	XGroq struct {
		ID    string          `json:"id"`
		Error json.RawMessage `json:"error"`
		Usage json.RawMessage `json:"usage"`
	} `json:"x_groq"`
}

// decoder reads the content out of one response's body.
type decoder struct {
	events    eventReader
	text      joiner
	maxAnswer int
	size      int
	ended     bool

	finish    FinishReason
	usage     Usage
	model     string
	requestID string
}

func newDecoder(r io.Reader, limits Limits) *decoder {
	return &decoder{events: newEventReader(r, limits.Line), maxAnswer: limits.Answer}
}

// next returns the next piece of content, which is never empty. It returns io.EOF at the end of a finished answer, an
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
		if text = d.limit(text); text != "" {
			return text, nil
		}
	}
	d.ended = true
	if text := d.limit(d.text.flush()); text != "" {
		return text, nil
	}
	if d.size == 0 {
		return "", &Error{Kind: Empty, Code: "empty_completion"}
	}
	return "", io.EOF
}

// endOfInput decides what the end of the body means. Once the model has finished, all its content has been read, and
// neither a missing [DONE] nor a lost connection takes anything away from it; but a caller who gives up has the last
// word. Before that, even an orderly end is a failure, because the answer is cut.
func (d *decoder) endOfInput(err error) error {
	if own, ok := errors.AsType[*Error](err); d.finish != "" && (!ok || own.Kind != Canceled) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return &Error{Kind: Protocol, Code: "truncated", transient: true}
	}
	return err
}

// limit cuts text where the answer reaches its greatest size, which ends the answer.
func (d *decoder) limit(text string) string {
	if room := d.maxAnswer - d.size; len(text) > room {
		text = cutRunes(text, room)
		d.text.held = nil
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
		// An extension of the server's; EventSource would not give it to a listener for messages either.
		return "", nil
	}
	var c chunk
	if err := json.Unmarshal(ev.data, &c); err != nil {
		return "", &Error{Kind: Protocol, Code: "malformed_chunk", cause: err}
	}
	if present(c.Error) {
		return "", streamError(c.Error)
	}
	if present(c.XGroq.Error) {
		return "", streamError(c.XGroq.Error)
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
	var content string
	for _, choice := range c.Choices {
		if choice.Index != 0 {
			continue
		}
		if present(choice.Delta.Content) {
			if choice.Delta.Content[0] != '"' {
				return "", protocolError("malformed_chunk")
			}
			text, err := d.text.add(choice.Delta.Content)
			if err != nil {
				return "", &Error{Kind: Protocol, Code: "malformed_chunk", cause: err}
			}
			content += text
		}
		if choice.FinishReason != "" {
			d.finish = finishReason(choice.FinishReason)
		}
	}
	return content, nil
}

// takeUsage keeps usage that makes sense and ignores the rest: a strange count is no reason to lose an answer.
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

// errorEvent returns the error for an event that is named as one, whatever it carries.
func errorEvent(data []byte) *Error {
	var c chunk
	if json.Unmarshal(data, &c) == nil && present(c.Error) {
		return streamError(c.Error)
	}
	return streamError(data)
}

func finishReason(reason string) FinishReason {
	switch r := FinishReason(reason); r {
	case FinishStop, FinishLength, FinishContentFilter, FinishToolCalls:
		return r
	case "function_call":
		return FinishToolCalls
	default:
		return FinishOther
	}
}

func present(raw json.RawMessage) bool {
	return len(raw) > 0 && string(raw) != "null" && string(raw) != `""`
}

var (
	modelPattern     = regexp.MustCompile(`^[A-Za-z0-9._:/@-]{1,128}$`)
	requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
)
