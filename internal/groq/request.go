package groq

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Role says who speaks in a [Message].
type Role string

// The roles a conversation is made of.
const (
	RoleSystem    Role = "system"
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
)

// Message is one turn of the conversation.
type Message struct {
	Role    Role   `json:"role"`
	Content string `json:"content"`
}

// Request asks for one completion. Model and Messages are required; zero values elsewhere leave the choice to the
// server.
type Request struct {
	Model    string
	Messages []Message
	// MaxCompletionTokens limits the answer, reasoning included.
	MaxCompletionTokens int
	// Temperature is between 0 and 2.
	Temperature *float64
	// Seed asks for the same answer to the same request, as far as the server can.
	Seed *int64
	// User is an opaque id of the end user, for the server's abuse detection.
	User string
	// LessReasoning asks a model that reasons to do less of it.
	LessReasoning bool
	// Schema asks for JSON that follows a schema. A server that cannot do that is asked for any JSON, or for nothing: the
	// messages must say what is wanted, and the caller checks the answer.
	Schema *Schema
}

// Schema describes an answer in JSON.
type Schema struct {
	// Name consists of letters, digits and underscores.
	Name string
	// Body is a JSON Schema.
	Body json.RawMessage
}

type wireRequest struct {
	Model               string         `json:"model"`
	Messages            []Message      `json:"messages"`
	Stream              bool           `json:"stream"`
	StreamOptions       *streamOptions `json:"stream_options,omitempty"`
	MaxCompletionTokens int            `json:"max_completion_tokens,omitempty"`
	MaxTokens           int            `json:"max_tokens,omitempty"`
	Temperature         *float64       `json:"temperature,omitempty"`
	Seed                *int64         `json:"seed,omitempty"`
	User                string         `json:"user,omitempty"`
	IncludeReasoning    *bool          `json:"include_reasoning,omitempty"`
	ReasoningFormat     string         `json:"reasoning_format,omitempty"`
	ReasoningEffort     string         `json:"reasoning_effort,omitempty"`

	ResponseFormat *responseFormat `json:"response_format,omitempty"`
}

type responseFormat struct {
	Type       string      `json:"type"`
	JSONSchema *jsonSchema `json:"json_schema,omitempty"`
}

type jsonSchema struct {
	Name   string          `json:"name"`
	Strict bool            `json:"strict"`
	Schema json.RawMessage `json:"schema"`
}

const (
	formatSchema = "json_schema"
	formatObject = "json_object"
)

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// encode returns the JSON body for req, or a Rejected error for a request no server would accept.
func (c *Client) encode(req Request) ([]byte, *Error) {
	if !req.valid() {
		return nil, &Error{Kind: Rejected, Code: "invalid_request"}
	}
	wire := wireRequest{
		Model:       req.Model,
		Messages:    req.Messages,
		Stream:      true,
		Temperature: req.Temperature,
		Seed:        req.Seed,
		User:        req.User,
	}
	if c.speech.usage {
		wire.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	if c.speech.maxCompletionTokens {
		wire.MaxCompletionTokens = req.MaxCompletionTokens
	}
	if c.speech.maxTokens {
		wire.MaxTokens = req.MaxCompletionTokens
	}
	if c.speech.hidesReasoning {
		wire.hideReasoning()
	}
	if req.LessReasoning {
		wire.reasonLess()
	}
	if req.Schema != nil {
		wire.ResponseFormat = &responseFormat{
			Type: formatSchema, JSONSchema: &jsonSchema{Name: req.Schema.Name, Strict: true, Schema: req.Schema.Body},
		}
	}
	c.habits.omitRefused(&wire)
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	// Customers paste markup; escaping it for HTML would only make the prompt longer.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(wire); err != nil {
		return nil, &Error{Kind: Rejected, Code: "invalid_request", cause: err}
	}
	return body.Bytes(), nil
}

// hideReasoning asks for an answer without reasoning in the way the model's family understands. The fields are Groq's
// own and a server may refuse a request with a field it does not know, so they are only sent with the model ids Groq
// uses: "openai/gpt-oss-…" takes include_reasoning, "qwen/…" takes reasoning_format, and both at once are an error.
func (w *wireRequest) hideReasoning() {
	switch {
	case strings.HasPrefix(w.Model, "openai/gpt-oss"):
		w.IncludeReasoning = new(false)
	case strings.HasPrefix(w.Model, "qwen/"):
		w.ReasoningFormat = "hidden"
	}
}

// reasonLess asks for as little reasoning as the model's family can do with.
func (w *wireRequest) reasonLess() {
	w.ReasoningEffort = "low"
	if strings.HasPrefix(w.Model, "qwen/") {
		w.ReasoningEffort = "none"
	}
}

func (r Request) valid() bool {
	if r.Model == "" || len(r.Messages) == 0 || r.MaxCompletionTokens < 0 {
		return false
	}
	if t := r.Temperature; t != nil && !(*t >= 0 && *t <= 2) {
		return false
	}
	for _, m := range r.Messages {
		if m.Role != RoleSystem && m.Role != RoleUser && m.Role != RoleAssistant {
			return false
		}
	}
	return true
}
