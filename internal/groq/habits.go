package groq

import (
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/supportbackend/support/internal/groq/reasoning"
)

// habits is what a client has learned about its server and the models there.
type habits struct {
	mu sync.Mutex
	// refused are the optional parameters that the server does not accept.
	refused map[string]bool
	// reasoning is how its models write their reasoning.
	reasoning reasoning.Habits
}

// refuse records a parameter that the server does not accept, and reports whether that is new.
func (h *habits) refuse(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if name == responseFormatName && !h.refused[formatSchema] {
		name = formatSchema // JSON of any form may be accepted.
	}
	if name == "" || h.refused[name] {
		return false
	}
	if h.refused == nil {
		h.refused = make(map[string]bool)
	}
	h.refused[name] = true
	return true
}

// omitRefused removes from the request the parameters that the server does not accept.
func (h *habits) omitRefused(w *wireRequest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name := range h.refused {
		w.omit(name)
	}
	if h.refused["max_tokens"] && h.refused["max_completion_tokens"] {
		w.MaxTokens, w.MaxCompletionTokens = 0, 0 // The size of the answer is bounded all the same.
	}
}

// maxMessage bounds what is kept of upstream's words, in bytes.
const maxMessage = 300

var keyPattern = regexp.MustCompile(`\b(sk|gsk|Bearer)[-_ ][^\s"',]+`)

// clean prepares upstream's words for the operator's log: on one line, bounded, without this client's key or anything that
// looks like one.
func (c *Client) clean(words string) string {
	if c.apiKey != "" {
		words = strings.ReplaceAll(words, c.apiKey, "[key]")
	}
	words = keyPattern.ReplaceAllString(words, "[key]")
	words = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, words)
	words = strings.Join(strings.Fields(words), " ")
	if len(words) > maxMessage {
		words = cutRunes(words, maxMessage-len("…")) + "…"
	}
	return words
}
