package groqsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Script says how one request is answered. The zero value is a healthy answer. Fields that count tokens count deltas of
// content; 0 is before the first of them, after the role and the reasoning.
//
// In JSON the names are in snake case, durations are strings such as "1.5s", and RawChunks are base64.
type Script struct {
	// Match picks the request: its last user message contains this text. Empty picks any request.
	Match string `json:"match,omitempty"`
	// Times is how many requests the script answers: 0 and 1 mean one, -1 means all.
	Times int `json:"times,omitempty"`

	// Text is the answer. Empty generates an answer about the last user message, the same for the same Seed.
	Text string `json:"text,omitempty"`
	// Seed chooses the made-up answer; 0 takes the request's seed, or one from the last user message.
	Seed int64 `json:"seed,omitempty"`
	// Deltas replaces Text by an answer that is already divided into tokens.
	Deltas []string `json:"deltas,omitempty"`
	// Reasoning is the number of reasoning tokens before the answer: 0 means the model's usual number, -1 means none.
	Reasoning int `json:"reasoning,omitempty"`
	// EmptyContent leaves the content out, as when reasoning used up the budget. It finishes as "length".
	EmptyContent bool `json:"empty_content,omitempty"`
	// FinishReason replaces "stop".
	FinishReason string `json:"finish_reason,omitempty"`
	// NoUsage leaves usage out, although the request asks for it.
	NoUsage bool `json:"no_usage,omitempty"`
	// NoDone ends the stream without [DONE].
	NoDone bool `json:"no_done,omitempty"`

	// TokensPerSecond is the speed: 0 takes the simulator's, a negative one is unthrottled.
	TokensPerSecond float64 `json:"tokens_per_second,omitempty"`
	// SplitWrites sends this many bytes at a time, even within a character and within the end of an event.
	SplitWrites int `json:"split_writes,omitempty"`
	// SplitSurrogates divides characters beyond the basic plane into two deltas of half a \u pair each.
	SplitSurrogates bool `json:"split_surrogates,omitempty"`
	// CRLF ends lines by CR LF.
	CRLF bool `json:"crlf,omitempty"`

	// HeaderDelay is the time before the response's headers.
	HeaderDelay Duration `json:"header_delay,omitempty"`
	// Gates hold the stream until they are released.
	Gates []Gate `json:"gates,omitempty"`
	// Stall makes the stream silent.
	Stall *Stall `json:"stall,omitempty"`

	// Status answers with this HTTP error instead of a stream, in the body that Groq has for it.
	Status int `json:"status,omitempty"`
	// ErrorBody replaces that body, as other servers write theirs.
	ErrorBody string `json:"error_body,omitempty"`
	// ContextTokens answers Status, or else 400, with ErrorBody only to a prompt of more tokens than this; 0 means no limit.
	ContextTokens int `json:"context_tokens,omitempty"`
	// Refuses are members of the request that the server does not know: it answers 400 and names the first of them.
	Refuses []string `json:"refuses,omitempty"`
	// Alternates answers 400 unless the roles alternate, from the user's after the system prompt on.
	Alternates bool `json:"alternates,omitempty"`
	// ErrorCode replaces the code of that error, or of ErrorAfter's.
	ErrorCode string `json:"error_code,omitempty"`
	// RetryAfter is the value of the Retry-After header; empty leaves it out.
	RetryAfter string `json:"retry_after,omitempty"`
	// TryAgainIn is the wait that the message of a 429 names. Empty takes RetryAfter or else what was recorded,
	// "9m38.016s"; "-" leaves the sentence out.
	TryAgainIn string `json:"try_again_in,omitempty"`
	// ResetTokens and ResetRequests replace the values of the x-ratelimit-reset headers; "-" leaves one out.
	ResetTokens   string `json:"reset_tokens,omitempty"`
	ResetRequests string `json:"reset_requests,omitempty"`
	// TokensPerMinute answers 413 to a request that needs more tokens than this; 0 means no limit.
	TokensPerMinute int `json:"tokens_per_minute,omitempty"`

	// Reset cuts the connection instead of answering.
	Reset bool `json:"reset,omitempty"`
	// CutAfter resets the connection after this many tokens.
	CutAfter *int `json:"cut_after,omitempty"`
	// EOFAfter ends the body normally after this many tokens, without a finish reason and [DONE].
	EOFAfter *int `json:"eof_after,omitempty"`
	// ErrorAfter reports an error in the stream after this many tokens, in the form of ErrorForm.
	ErrorAfter *int `json:"error_after,omitempty"`
	// ErrorForm is the form of ErrorAfter's error; empty is ErrorFormEvent.
	ErrorForm ErrorForm `json:"error_form,omitempty"`

	// LongLine sends one line of this many bytes instead of the answer.
	LongLine int `json:"long_line,omitempty"`
	// EndlessLine sends one line until the client leaves.
	EndlessLine bool `json:"endless_line,omitempty"`
	// HTML answers 200 with a web page, as a gateway might.
	HTML bool `json:"html,omitempty"`
	// JSON responds with 200 and the whole completion, although the request asks for a stream.
	JSON bool `json:"json,omitempty"`
	// Gzip compresses the stream, although the request asks for identity.
	Gzip bool `json:"gzip,omitempty"`
	// Redirect answers 307 to this URL.
	Redirect string `json:"redirect,omitempty"`
	// RawChunks are sent byte for byte, each in its own write, as the body of an event stream.
	RawChunks [][]byte `json:"raw_chunks,omitempty"`
}

// Gate holds a stream after a number of tokens, or before the headers if After is negative, until it is released.
type Gate struct {
	Name  string `json:"name"`
	After int    `json:"after"`
}

// Stall holds a stream after a number of tokens, or before the headers if After is negative. For is how long; 0 is until
// the client leaves.
type Stall struct {
	After int      `json:"after"`
	For   Duration `json:"for,omitempty"`
}

// ErrorForm is one of the forms in which an error comes inside a stream.
type ErrorForm string

// The forms: an event named error, an unnamed event with an error object, and a text in x_groq.error.
const (
	ErrorFormEvent ErrorForm = "event"
	ErrorFormData  ErrorForm = "data"
	ErrorFormXGroq ErrorForm = "x_groq"
)

// Duration is a time.Duration that JSON writes as a string such as "1.5s".
type Duration time.Duration

// MarshalJSON writes the duration in Go's format.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads a duration in Go's format.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("a duration must be a string such as \"1.5s\": %w", err)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	*d = Duration(parsed)
	return nil
}

// Validate returns an error for a script that contradicts itself.
func (s Script) Validate() error {
	switch {
	case s.Status != 0 && (s.Status < 400 || s.Status > 599):
		return fmt.Errorf("groqsim: status %d is not an error", s.Status)
	case s.Times < -1:
		return errors.New("groqsim: times must be -1 or more")
	case s.SplitWrites < 0 || s.LongLine < 0 || s.HeaderDelay < 0:
		return errors.New("groqsim: split_writes, long_line and header_delay must not be negative")
	case s.Redirect != "" && s.Status != 0:
		return errors.New("groqsim: redirect and status exclude each other")
	}
	switch s.ErrorForm {
	case "", ErrorFormEvent, ErrorFormData, ErrorFormXGroq:
		return nil
	}
	return fmt.Errorf("groqsim: error_form %q is none of event, data and x_groq", s.ErrorForm)
}

// failsEarly reports whether the script fails before a model would look at the request.
func (s Script) failsEarly() bool {
	return s.Reset || s.Status != 0 && s.ContextTokens == 0 || s.Redirect != ""
}

// statusText is http.StatusText plus Groq's own status.
func statusText(status int) string {
	if status == statusCapacityExceeded {
		return "Flex Tier Capacity Exceeded"
	}
	return http.StatusText(status)
}
