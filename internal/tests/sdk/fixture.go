// Package sdktest is the behaviour that every SDK has in common, as fixtures: what a server answers, in which order and
// with which faults, and what the caller of an SDK then gets. README.md describes their form. A Player plays the server of
// one fixture; the program in play serves all of them, for SDKs in other languages.
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

// Fixture is one script of a server and what the caller of an SDK gets from it.
type Fixture struct {
	// Name is that of the file, without .json.
	Name string `json:"name,omitempty"`
	// About says what the fixture holds an SDK to.
	About  string `json:"about"`
	Client Client `json:"client"`
	Call   Call   `json:"call"`
	// Unordered lets the requests come in any order.
	Unordered bool       `json:"unordered,omitempty"`
	Exchanges []Exchange `json:"exchanges,omitempty"`
	// Transcript is what the caller gets, in order; of parallel calls, what each one gets.
	Transcript []json.RawMessage `json:"transcript"`
	// Tokens are the tokens that the SDK asks its caller to keep, in order.
	Tokens []json.RawMessage `json:"tokens,omitempty"`
}

// Client is how the SDK is set up.
type Client struct {
	Token        string `json:"token,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	// Retries is how often a request is repeated; nil is the SDK's default, two.
	Retries *int `json:"retries,omitempty"`
}

// Call is what is called.
type Call struct {
	// Method is an operationId of the contract, askAI, or answerOf of a ticket's stream.
	Method string `json:"method"`
	// ID is the value of the path's parameter.
	ID string `json:"id,omitempty"`
	// Params are the parameters of the query.
	Params json.RawMessage `json:"params,omitempty"`
	// Headers are what the caller sets.
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	// Parallel is how many such calls are made at once; 0 is one.
	Parallel int `json:"parallel,omitempty"`
}

// Exchange is one request that the server expects, and its response.
type Exchange struct {
	// Times is how often it happens; 0 is once. The responses wait until all the requests have come.
	Times    int      `json:"times,omitempty"`
	Request  Request  `json:"request"`
	Response Response `json:"response"`
}

// Request is what a request must look like.
type Request struct {
	Method string `json:"method"`
	// Path is the path and the query, below the base URL.
	Path string `json:"path"`
	// Headers are wanted as they are given; null wants none, and "$name" is a variable.
	Headers map[string]*string `json:"headers,omitempty"`
	Body    json.RawMessage    `json:"body,omitempty"`
	// MinDelayMS is how many milliseconds it comes after the response before it, at least.
	MinDelayMS int `json:"min_delay_ms,omitempty"`
}

// Response is what a request is answered with: a body, or chunks, or nothing at all.
type Response struct {
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Chunks  []Chunk           `json:"chunks,omitempty"`
	// PauseMS is how many milliseconds pass between two chunks.
	PauseMS int `json:"pause_ms,omitempty"`
	// Cut breaks the connection off after the last chunk, within the response.
	Cut bool `json:"cut,omitempty"`
	// Drop breaks the connection off without a response.
	Drop bool `json:"drop,omitempty"`
}

// Chunk is a piece of a body that is sent by itself. It is written as a string, as {"base64": "…"} for what is no whole
// UTF-8, or as {"id": "…", "event": "…", "data": {…}} for a server-sent event.
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
