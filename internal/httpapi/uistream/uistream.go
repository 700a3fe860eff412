// Package uistream encodes the events of an AI response for chat clients: as the UI message stream of the AI SDK
// (chat.go), which assistant-ui also reads, and as AG-UI (agui.go). It turns events into frames, and knows neither the
// readers nor the source of the events. message.go reads the clients' messages.
package uistream

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
)

// Convert converts the content of events to the contract's types.
type Convert struct {
	Problem  func(*apperr.Error) api.UIData
	Metadata func(eventlog.Done) api.UIMessageMetadata
}

// Encoder encodes one stream for one reader.
type Encoder interface {
	// SetHeader sets the headers of the response.
	SetHeader(header http.Header)
	// Begin returns the bytes to send before the first event.
	Begin() []byte
	// Frame returns an event's frame, empty when the reader need not know of it. The frame is valid until the next
	// call.
	Frame(entry eventlog.Entry) []byte
	// Unanswered returns the rest of a stream whose message the AI does not answer.
	Unanswered(why *apperr.Error) []byte
	// BrokenOff returns the rest of a stream that ends before the answer. Without it, the answer would look finished.
	BrokenOff(why *apperr.Error) []byte
}

// opening is a comment, for proxies that wait for the first byte.
const opening = ": open\n\n"

func setHeader(header http.Header) {
	header.Set("Content-Type", "text/event-stream")
}

// frames collects frames.
type frames struct {
	bytes.Buffer
}

// add appends a frame. Every type of the contract has a JSON form.
func (f *frames) add(frame any) {
	f.WriteString("data: ")
	encoder := json.NewEncoder(f)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(frame)
	f.WriteByte('\n')
}

// addDelta appends a frame that consists of head and a text. An answer has thousands of them, each encoded for every
// reader, so this path avoids the general encoder.
func (f *frames) addDelta(head, text string) {
	f.WriteString("data: ")
	f.WriteString(head)
	quoted, _ := jsontext.AppendQuote(f.AvailableBuffer(), text) // Invalid UTF-8 is replaced, as by the general encoder.
	f.Write(quoted)
	f.WriteString("}\n\n")
}
