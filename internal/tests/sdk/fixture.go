// Package sdktest defines the common behaviour of all SDKs, as fixtures: a server's responses, their order and faults,
// and what the caller of an SDK receives. README.md describes their form. A Player plays the server of one fixture; the
// program in play serves all of them, for SDKs in other languages.
package sdktest

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

//go:embed fixtures/*.json
var files embed.FS

// Fixture is the script of one server, and what the caller of an SDK receives.
type Fixture struct {
	// Name is the file's name without .json.
	Name string `json:"name,omitempty"`
	// About is the rule that the fixture checks.
	About  string `json:"about"`
	Client Client `json:"client"`
	Call   Call   `json:"call"`
	// Unordered lets the requests come in any order.
	Unordered bool       `json:"unordered,omitempty"`
	Exchanges []Exchange `json:"exchanges,omitempty"`
	// Transcript is what the caller receives, in order; with parallel calls, what each of them receives.
	Transcript []json.RawMessage `json:"transcript"`
	// Tokens are the tokens that the SDK passes to the caller's callback, in order.
	Tokens []json.RawMessage `json:"tokens,omitempty"`
}

// Client is the configuration of the SDK.
type Client struct {
	Token        string `json:"token,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	// Retries is how often a request is retried; nil is the SDK's default, two.
	Retries *int `json:"retries,omitempty"`
}

// Call is the call to make.
type Call struct {
	// Method is an operationId of the contract, askAI, or answerOf of a ticket's stream.
	Method string `json:"method"`
	// ID is the value of the path parameter.
	ID string `json:"id,omitempty"`
	// Params are the query parameters.
	Params json.RawMessage `json:"params,omitempty"`
	// Headers are the headers that the caller sets.
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	// Parallel is how many such calls run at the same time; 0 means one.
	Parallel int `json:"parallel,omitempty"`
}

// Exchange is one request that the server expects, and its response.
type Exchange struct {
	// Times is the number of such requests; 0 means one. The responses wait until all the requests have arrived.
	Times    int      `json:"times,omitempty"`
	Request  Request  `json:"request"`
	Response Response `json:"response"`
}

// Request is the request that must arrive.
type Request struct {
	Method string `json:"method"`
	// Path is the path and the query, below the base URL.
	Path string `json:"path"`
	// Headers must have these values. A header that is null must be absent, and "$name" is a variable.
	Headers map[string]*string `json:"headers,omitempty"`
	Body    json.RawMessage    `json:"body,omitempty"`
	// MinDelayMS is the least number of milliseconds since the previous response.
	MinDelayMS int `json:"min_delay_ms,omitempty"`
}

// Response is the response to a request: a body, chunks, or nothing at all.
type Response struct {
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Chunks  []Chunk           `json:"chunks,omitempty"`
	// PauseMS is the number of milliseconds between chunks.
	PauseMS int `json:"pause_ms,omitempty"`
	// Cut breaks the connection after the last chunk, within the response.
	Cut bool `json:"cut,omitempty"`
	// Drop breaks the connection without a response.
	Drop bool `json:"drop,omitempty"`
}

// Chunk is a part of a body that is sent separately. In JSON it is a string, {"base64": "…"} for bytes that are not
// complete UTF-8, or {"id": "…", "event": "…", "data": {…}} for a server-sent event.
type Chunk []byte

// UnmarshalJSON reads any of the forms.
func (c *Chunk) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*c = Chunk(text)
		return nil
	}
	var form struct {
		Base64 []byte          `json:"base64"`
		ID     string          `json:"id"`
		Event  string          `json:"event"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(data, &form); err != nil {
		return err
	}
	if form.Data == nil {
		*c = form.Base64
		return nil
	}
	var frame bytes.Buffer
	if form.ID != "" {
		fmt.Fprintf(&frame, "id: %s\n", form.ID)
	}
	if form.Event != "" {
		fmt.Fprintf(&frame, "event: %s\n", form.Event)
	}
	frame.WriteString("data: ")
	if err := json.Compact(&frame, form.Data); err != nil {
		return err
	}
	frame.WriteString("\n\n")
	*c = frame.Bytes()
	return nil
}

// Load returns all fixtures, by name.
func Load() ([]Fixture, error) {
	entries, err := files.ReadDir("fixtures")
	if err != nil {
		return nil, err
	}
	fixtures := make([]Fixture, 0, len(entries))
	for _, entry := range entries {
		fixture, err := load(entry.Name())
		if err != nil {
			return nil, fmt.Errorf("sdktest: %s: %w", entry.Name(), err)
		}
		fixtures = append(fixtures, fixture)
	}
	return fixtures, nil
}

func load(name string) (Fixture, error) {
	var fixture Fixture
	data, err := files.ReadFile(path.Join("fixtures", name))
	if err != nil {
		return fixture, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&fixture)
	fixture.Name = strings.TrimSuffix(name, ".json")
	return fixture, err
}
