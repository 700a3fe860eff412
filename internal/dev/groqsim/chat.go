package groqsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// ChatRequest is the part of a chat completion request that the simulator acts on.
type ChatRequest struct {
	Model               string        `json:"model"`
	Messages            []ChatMessage `json:"messages"`
	Stream              bool          `json:"stream,omitempty"`
	StreamOptions       StreamOptions `json:"stream_options,omitzero"`
	MaxCompletionTokens *int          `json:"max_completion_tokens,omitempty"`
	MaxTokens           *int          `json:"max_tokens,omitempty"`
	Temperature         *float64      `json:"temperature,omitempty"`
	Seed                *int64        `json:"seed,omitempty"`
	User                string        `json:"user,omitempty"`
	N                   *int          `json:"n,omitempty"`
	IncludeReasoning    *bool         `json:"include_reasoning,omitempty"`
	ReasoningFormat     *string       `json:"reasoning_format,omitempty"`
	ServiceTier         string        `json:"service_tier,omitempty"`

	ResponseFormat *ResponseFormat `json:"response_format,omitempty"`

	Logprobs  json.RawMessage   `json:"logprobs,omitempty"`
	LogitBias json.RawMessage   `json:"logit_bias,omitempty"`
	Stop      json.RawMessage   `json:"stop,omitempty"`
	Tools     []json.RawMessage `json:"tools,omitempty"`
}

// ResponseFormat is the response_format member of a request: json_schema, json_object or text.
type ResponseFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Name   string `json:"name"`
		Schema schema `json:"schema"`
	} `json:"json_schema,omitzero"`
}

// StreamOptions is the stream_options member of a request.
type StreamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// ChatMessage is one message of a request. Content that comes in parts is joined to one text.
type ChatMessage struct {
	Role    string  `json:"role"`
	Content Content `json:"content"`
}

// Content is a message's text.
type Content string

// UnmarshalJSON reads a string, null, or an array of parts of which only the texts count.
func (c *Content) UnmarshalJSON(data []byte) error {
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '[' {
		var parts []struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal(data, &parts); err != nil {
			return err
		}
		var text strings.Builder
		for _, part := range parts {
			text.WriteString(part.Text)
		}
		*c = Content(text.String())
		return nil
	}
	return json.Unmarshal(data, (*string)(c))
}

// LastUserMessage returns the text of the last message with the role user, which is what scripts are matched with.
func (r ChatRequest) LastUserMessage() string {
	for i := len(r.Messages) - 1; i >= 0; i-- {
		if r.Messages[i].Role == "user" {
			return string(r.Messages[i].Content)
		}
	}
	return ""
}

// validate returns Groq's error for a request that it does not accept.
func (r ChatRequest) validate() *apiError {
	refuse := func(format string, args ...any) *apiError {
		e := invalidRequest(fmt.Sprintf(format, args...))
		return &e
	}
	given := func(raw json.RawMessage) bool {
		return len(raw) > 0 && string(raw) != "null" && string(raw) != "false"
	}
	var stops []string
	_ = json.Unmarshal(r.Stop, &stops) // A single string is fine as well.
	switch {
	case r.Model == "":
		return refuse("'model' : property 'model' is missing")
	case len(r.Messages) == 0:
		return refuse("'messages' : minimum number of items is 1")
	case r.N != nil && *r.N != 1:
		return refuse("'n' : number must be at most 1")
	case given(r.Logprobs):
		return refuse("'logprobs' : property 'logprobs' is unsupported")
	case given(r.LogitBias):
		return refuse("'logit_bias' : property 'logit_bias' is unsupported")
	case r.IncludeReasoning != nil && r.ReasoningFormat != nil:
		return refuse("cannot specify both include_reasoning and reasoning_format")
	case r.Temperature != nil && (*r.Temperature < 0 || *r.Temperature > 2):
		return refuse("'temperature' : number must be between 0 and 2")
	case r.budget() == 0:
		return refuse("'max_completion_tokens' : number must be at least 1")
	case len(stops) > 4:
		return refuse("'stop' : maximum number of items is 4")
	case len(r.Tools) > 128:
		return refuse("'tools' : maximum number of items is 128")
	}
	for i, message := range r.Messages {
		switch message.Role {
		case "system", "developer", "user", "assistant", "tool", "function":
		default:
			return refuse("'messages.%d.role' : unknown role", i)
		}
	}
	return nil
}

// alternates reports whether the user and the assistant take turns, and the user begins and ends.
func (r ChatRequest) alternates() bool {
	turns := r.Messages
	if len(turns) > 0 && turns[0].Role == "system" {
		turns = turns[1:]
	}
	for i, message := range turns {
		if want := []string{"user", "assistant"}[i%2]; message.Role != want {
			return false
		}
	}
	return len(turns)%2 == 1
}

// budget returns how many tokens the answer may have, 0 for a limit that is not one, and -1 for no limit.
func (r ChatRequest) budget() int {
	for _, limit := range []*int{r.MaxCompletionTokens, r.MaxTokens} {
		if limit != nil {
			return max(*limit, 0)
		}
	}
	return -1
}

// promptTokens estimates the size of the prompt, with what the chat template puts around each message.
func (r ChatRequest) promptTokens() int {
	tokens := 3
	for _, message := range r.Messages {
		tokens += len(tokenize(string(message.Content))) + 4
	}
	return tokens
}

// reasons reports whether the model thinks before it answers.
func (r ChatRequest) reasons() bool {
	return strings.HasPrefix(r.Model, "openai/gpt-oss") || strings.HasPrefix(r.Model, "qwen/")
}

// showsReasoning reports whether reasoning is to be sent in a field of its own.
func (r ChatRequest) showsReasoning() bool {
	if r.ReasoningFormat != nil {
		return *r.ReasoningFormat == "parsed"
	}
	return r.IncludeReasoning == nil || *r.IncludeReasoning
}
