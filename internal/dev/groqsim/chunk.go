package groqsim

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const fingerprint = "fp_f8b414701e"

// chunk is one event of a stream, with its members in the order that was recorded.
type chunk struct {
	ID                string   `json:"id"`
	Object            string   `json:"object"`
	Created           int64    `json:"created"`
	Model             string   `json:"model"`
	SystemFingerprint string   `json:"system_fingerprint"`
	Choices           []choice `json:"choices"`
	XGroq             *xGroq   `json:"x_groq,omitempty"`
	Usage             *usage   `json:"usage,omitempty"`
	ServiceTier       string   `json:"service_tier,omitempty"`
}

type choice struct {
	Index        int             `json:"index"`
	Delta        delta           `json:"delta"`
	Logprobs     json.RawMessage `json:"logprobs"`
	FinishReason *string         `json:"finish_reason"`
}

type delta struct {
	Role      string          `json:"role,omitempty"`
	Content   json.RawMessage `json:"content,omitempty"`
	Reasoning string          `json:"reasoning,omitempty"`
	Channel   string          `json:"channel,omitempty"`
}

type xGroq struct {
	ID    string `json:"id"`
	Seed  int64  `json:"seed,omitempty"`
	Error string `json:"error,omitempty"`
	Usage *usage `json:"usage,omitempty"`
}

type usage struct {
	QueueTime         float64            `json:"queue_time"`
	PromptTokens      int                `json:"prompt_tokens"`
	PromptTime        float64            `json:"prompt_time"`
	CompletionTokens  int                `json:"completion_tokens"`
	CompletionTime    float64            `json:"completion_time"`
	TotalTokens       int                `json:"total_tokens"`
	TotalTime         float64            `json:"total_time"`
	CompletionDetails *completionDetails `json:"completion_tokens_details,omitempty"`
}

type completionDetails struct {
	ReasoningTokens int `json:"reasoning_tokens"`
}

// completion is an answer that is worked out and only needs to be sent.
type completion struct {
	id, requestID string
	model         string
	created       int64
	seed          int64
	reasoning     []string // sent before the content
	tokens        []string
	finish        string
	usage         usage
}

// complete works out the answer to a request.
func complete(request ChatRequest, script Script, number int) completion {
	message := request.LastUserMessage()
	c := completion{model: request.Model, created: time.Now().Unix(), seed: script.Seed, finish: "stop"}
	if c.seed == 0 && request.Seed != nil {
		c.seed = *request.Seed
	}
	if c.seed == 0 {
		c.seed = seedOf(message)
	}
	c.id, c.requestID = ids(number)
	thought := c.think(request, script)
	switch {
	case script.Deltas != nil:
		c.tokens = script.Deltas
	case script.Text != "":
		c.tokens = tokenize(script.Text)
	default:
		c.tokens = tokenize(cmp.Or(jsonAnswer(request.ResponseFormat, c.seed), supportAnswer(message, c.seed)))
	}
	if script.EmptyContent {
		c.tokens, c.finish = nil, "length"
	}
	if room := request.budget() - thought; request.budget() > 0 && len(c.tokens) > room {
		c.tokens, c.finish = c.tokens[:max(room, 0)], "length"
	}
	if script.FinishReason != "" {
		c.finish = script.FinishReason
	}
	c.count(request.promptTokens(), thought)
	return c
}

// think sets the reasoning to be sent and returns how many tokens the model thought with, also in secret.
func (c *completion) think(request ChatRequest, script Script) int {
	const usual = 12
	thought := script.Reasoning
	if thought == 0 && request.reasons() {
		thought = usual
	}
	thought = max(thought, 0)
	if budget := request.budget(); budget > 0 {
		thought = min(thought, budget)
	}
	if !request.showsReasoning() {
		return thought
	}
	words := tokenize("The user asks for help with their account. We should answer politely and name the next steps.")
	for i := range thought {
		c.reasoning = append(c.reasoning, words[i%len(words)])
	}
	return thought
}

// count makes up usage from the speeds of a real run.
func (c *completion) count(prompt, thought int) {
	const promptSpeed, completionSpeed = 11_000, 250
	done := len(c.tokens) + thought
	c.usage = usage{
		QueueTime:        0.041905864,
		PromptTokens:     prompt,
		PromptTime:       float64(prompt) / promptSpeed,
		CompletionTokens: done,
		CompletionTime:   float64(done) / completionSpeed,
		TotalTokens:      prompt + done,
	}
	c.usage.TotalTime = c.usage.PromptTime + c.usage.CompletionTime
	if thought > 0 {
		c.usage.CompletionDetails = &completionDetails{ReasoningTokens: thought}
	}
}

// head returns a chunk without choices. Groq stamps chunks when it writes them, so created changes within an answer.
func (c *completion) head(late bool) chunk {
	created := c.created
	if late {
		created += 3
	}
	return chunk{
		ID: c.id, Object: "chat.completion.chunk", Created: created, Model: c.model,
		SystemFingerprint: fingerprint, Choices: []choice{},
	}
}

func (c *completion) chunk(late bool, d delta) chunk {
	head := c.head(late)
	head.Choices = []choice{{Delta: d}}
	return head
}

// body returns the answer in one piece.
func (c *completion) body(withUsage bool) map[string]any {
	message := map[string]any{"role": "assistant", "content": strings.Join(c.tokens, "")}
	if len(c.reasoning) > 0 {
		message["reasoning"] = strings.Join(c.reasoning, "")
	}
	body := map[string]any{
		"id": c.id, "object": "chat.completion", "created": c.created, "model": c.model,
		"system_fingerprint": fingerprint, "service_tier": "on_demand",
		"choices": []any{map[string]any{"index": 0, "message": message, "logprobs": nil, "finish_reason": c.finish}},
		"x_groq":  xGroq{ID: c.requestID, Seed: c.seed},
	}
	if withUsage {
		body["usage"] = c.usage
	}
	return body
}

// ids returns the ids of the completion and of the request with this number, in the forms that were recorded.
func ids(number int) (completionID, requestID string) {
	sum := sha256.Sum256(fmt.Appendf(nil, "request %d", number))
	digits := hex.EncodeToString(sum[:16])
	letters := strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[16:]))
	completionID = fmt.Sprintf("chatcmpl-%s-%s-%s-%s-%s", digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
	return completionID, "req_01" + letters[:24]
}
