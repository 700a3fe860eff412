package groq

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// Dialect is the kind of server, which determines the members of requests.
type Dialect string

// The dialects. DialectAuto finds the dialect by the endpoint: api.groq.com, and every URL with Groq's path
// /openai/v1, is Groq; openai.com and Azure's openai.azure.com are OpenAI; everything else is compatible.
const (
	DialectAuto       Dialect = "auto"
	DialectGroq       Dialect = "groq"
	DialectOpenAI     Dialect = "openai"
	DialectCompatible Dialect = "compatible"
)

// Dialects are the values a setting may have.
var Dialects = []Dialect{DialectAuto, DialectGroq, DialectOpenAI, DialectCompatible}

// speech is one row of the table of request members by kind of server. Members that every server accepts (model,
// messages and stream) have no column.
type speech struct {
	// maxCompletionTokens and maxTokens are the two names of the same limit. OpenAI refuses a request with both.
	maxCompletionTokens, maxTokens bool
	// usage asks for usage at the end of the stream.
	usage bool
	// hidesReasoning sends Groq's fields that leave reasoning out.
	hidesReasoning bool
	// separates means that reasoning never comes within the text without its opening tag.
	separates bool
}

var speeches = map[Dialect]speech{
	DialectGroq:       {maxCompletionTokens: true, usage: true, hidesReasoning: true, separates: true},
	DialectOpenAI:     {maxCompletionTokens: true, usage: true, separates: true},
	DialectCompatible: {maxCompletionTokens: true, maxTokens: true, usage: true},
}

// dialectOf returns the dialect of the server with this endpoint.
func dialectOf(endpoint *url.URL) Dialect {
	host := strings.ToLower(endpoint.Hostname())
	within := func(domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }
	switch {
	case within("openai.com"), within("openai.azure.com"):
		return DialectOpenAI
	case within("groq.com"), strings.HasSuffix(endpoint.Path, groqPrefix+completionsPath):
		return DialectGroq
	}
	return DialectCompatible
}

// optional matches the parameters that a request can do without. Servers disagree about them, and name the one that they refuse.
var optional = regexp.MustCompile(`\b(stream_options|max_completion_tokens|max_tokens|include_reasoning|reasoning_format|reasoning_effort|json_schema|response_format)\b`)

// responseFormatName is the parameter that asks for JSON. A server that refuses it may still take its simpler form.
const responseFormatName = "response_format"

// omit removes an optional parameter from the request. One of the two names of the token limit stays.
func (w *wireRequest) omit(name string) {
	switch name {
	case "stream_options":
		w.StreamOptions = nil
	case "max_completion_tokens":
		w.MaxTokens, w.MaxCompletionTokens = max(w.MaxTokens, w.MaxCompletionTokens), 0
	case "max_tokens":
		w.MaxTokens, w.MaxCompletionTokens = 0, max(w.MaxTokens, w.MaxCompletionTokens)
	case "include_reasoning":
		w.IncludeReasoning = nil
	case "reasoning_format":
		w.ReasoningFormat = ""
	case "reasoning_effort":
		w.ReasoningEffort = ""
	case formatSchema:
		if w.ResponseFormat != nil {
			w.ResponseFormat = &responseFormat{Type: formatObject}
		}
	case responseFormatName:
		w.ResponseFormat = nil
	}
}

// Servers without error codes describe a fault in words. The patterns are compiled when they are first needed.
var (
	// tooLong covers OpenAI and DeepSeek ("maximum context length is"), vLLM (the same, and "longer than the maximum model
	// length"), llama.cpp ("exceeds the available context size", exceed_context_size_error), llama-cpp-python ("exceed
	// context window"), LM Studio ("when context the overflows", "Context size has been exceeded"), SGLang ("longer than the
	// model's context length"), TGI ("`inputs` must have less than"), xAI ("maximum prompt length"), Gemini ("input token
	// count exceeds the maximum number of tokens") and others.
	tooLong = onDemand(`(?i)maximum (context|(model|prompt|input) length)|context[ _-]?(length|size|window|limit)|` +
		`context( the)? overflow|exceed_context|(prompt|input|conversation)( length)?( is)? too long|too many (input )?tokens|` +
		`reduce the length of the|input tokens exceed|exceeds the maximum number of tokens|must be at least 1, got -|` +
		`\binputs\b.{0,40}\bmust (be <=|have less than)`)
	// tooLargeForRate is how OpenAI refuses a request that is larger than the tokens of a minute, with the status of a rate
	// limit. Waiting does not help.
	tooLargeForRate = onDemand(`(?i)^request too large\b`)
	noModel         = onDemand(`(?i)\bmodel\b.{0,160}\b(not found|does not exist|not exist|decommissioned|not loaded)\b|` +
		`\bno models? (is |are )?loaded\b`)
	// notOurs matches complaints about the form of the request, not about the customer's text.
	notOurs = onDemand(`(?i)\b(unknown|unsupported|unrecognized|unexpected|extra)\b\W+(\w+\W+){0,2}` +
		`(parameter|argument|field|input|propert|keyword)|extra_forbidden|property '[^']*' is unsupported|` +
		// A chat template that requires other roles.
		`\broles must alternate\b|\b(system|developer) role\b`)
)

func onDemand(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
