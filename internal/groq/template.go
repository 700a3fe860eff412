package groq

import (
	"bytes"
	"encoding/json"
)

// template is what comes before and after the content in a chunk that has only content. Most chunks of an answer differ
// only in their content, so they need not be decoded: if what comes before and after is equal, and one JSON string lies in
// between, the chunk means the same as the first one.
type template struct {
	known         bool
	before, after []byte
}

// learn makes the template from a chunk and the literal of its content, unless the chunk contains the literal twice.
func (t *template) learn(data, literal []byte) {
	if bytes.Count(data, literal) != 1 {
		return
	}
	i := bytes.Index(data, literal)
	t.known = true
	t.before, t.after = append(t.before[:0], data[:i]...), append(t.after[:0], data[i+len(literal):]...)
}

// content returns the literal of a chunk's content, with its quotes, if the chunk has the template's form.
func (t *template) content(data []byte) (literal []byte, ok bool) {
	if !t.known || len(data) < len(t.before)+len(t.after) ||
		!bytes.HasPrefix(data, t.before) || !bytes.HasSuffix(data, t.after) {
		return nil, false
	}
	literal = data[len(t.before) : len(data)-len(t.after)]
	return literal, isString(literal) && present(literal)
}

// isString reports whether the bytes are one JSON string, as far as its quotes, backslashes and control characters say.
func isString(literal []byte) bool {
	if len(literal) < 2 || literal[0] != '"' {
		return false
	}
	for i := 1; i < len(literal); i++ {
		switch c := literal[i]; {
		case c == '"':
			return i == len(literal)-1
		case c == '\\':
			i++
		case c < ' ':
			return false
		}
	}
	return false
}

// plain returns the literal of a chunk's content if the chunk says nothing else.
func (c chunk) plain() (literal json.RawMessage, ok bool) {
	if len(c.Choices) != 1 || present(c.Usage) || present(c.XGroq.Usage) {
		return nil, false
	}
	choice := c.Choices[0]
	if choice.Index != 0 || choice.FinishReason != "" || choice.Delta.reasons() || !present(choice.Delta.Content) {
		return nil, false
	}
	return choice.Delta.Content, choice.Delta.Content[0] == '"'
}
