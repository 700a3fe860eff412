// Package uistream puts the events of an AI response into the wire formats of chat clients: the UI message stream of the AI
// SDK (chat.go), which assistant-ui reads too, and AG-UI (agui.go). Events go in and frames come out; the package knows
// neither who reads nor where events come from. What a client sends is read in said.go.
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

// Convert is how what events carry is put into the contract's words.
type Convert struct {
	Problem  func(*apperr.Error) api.UIData
	Metadata func(eventlog.Done) api.UIMessageMetadata
}

// Encoder encodes one stream for one reader.
type Encoder interface {
	// SetHeader sets the headers of the response.
	SetHeader(header http.Header)
	// Begin returns what is sent before there is an event.
	Begin() []byte
	// Frame returns what an event is on the wire, until it is called again; nothing when the reader need not know of it.
	Frame(entry eventlog.Entry) []byte
	// Unanswered returns the rest of a stream whose message the AI does not answer.
	Unanswered(why *apperr.Error) []byte
	// BrokenOff returns the rest of a stream that ends before the answer does. Without it the answer would look finished.
	BrokenOff(why *apperr.Error) []byte
}

// opening is a comment, for what stands between and waits for a first byte.
const opening = ": open\n\n"

func setHeader(header http.Header) {
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // nginx would hold frames back.
}

// frames are written one after another.
type frames struct {
	bytes.Buffer
}

// add writes one frame. The types of the contract have nothing that cannot be encoded.
func (f *frames) add(frame any) {
	f.WriteString("data: ")
	encoder := json.NewEncoder(f)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(frame)
	f.WriteByte('\n')
}

// addDelta writes a frame that is head and a text. There are thousands of them, each for every reader of an answer, so they
// do without what the others need: no frame may cost a reader more than its own write.
func (f *frames) addDelta(head, text string) {
	f.WriteString("data: ")
	f.WriteString(head)
	quoted, _ := jsontext.AppendQuote(f.AvailableBuffer(), text) // What is no UTF-8 is replaced, as by the others.
	f.Write(quoted)
	f.WriteString("}\n\n")
}
