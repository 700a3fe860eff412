package uistream

import (
	"net/http"
	"strconv"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
)

// Version is the oldest major version of the AI SDK that must understand a stream. Its clients abort a stream on an
// unknown type of frame, and older ones on an unknown member.
type Version int

// The versions that differ.
const (
	V5 Version = 5
	V7 Version = 7
)

// VersionHeader holds the version of the AI SDK's stream protocol.
const VersionHeader = "X-Vercel-AI-UI-Message-Stream"

const (
	doneFrame = "data: [DONE]\n\n"
	stopped   = "The answer was stopped."
)

// Chat encodes the UI message stream of the AI SDK.
type Chat struct {
	version Version
	convert Convert
	// text numbers the texts of the message, and open means that the last one has not ended.
	text int
	open bool
	// head is the beginning of the frames of this text's deltas.
	head string
	f    frames
}

var _ Encoder = (*Chat)(nil)

// NewChat returns an encoder of one stream.
func NewChat(version Version, convert Convert) *Chat {
	return &Chat{version: version, convert: convert}
}

// SetHeader sets the headers that the AI SDK expects.
func (c *Chat) SetHeader(header http.Header) {
	setHeader(header)
	header.Set(VersionHeader, "v1")
}

// Begin returns a comment: the message's id is not known yet.
func (c *Chat) Begin() []byte { return []byte(opening) }

// Frame returns an event's frame.
func (c *Chat) Frame(entry eventlog.Entry) []byte {
	f := &c.f
	f.Reset()
	switch e := entry.Event.(type) {
	case eventlog.Start:
		f.add(api.UIMessageChunk{
			Type: api.UIMessageChunkTypeStart, MessageID: &e.Response.ID, MessageMetadata: &api.UIMessageMetadata{Author: api.MessageAuthorKindAI},
		})
		f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeStartStep})
	case eventlog.Delta:
		if !c.open {
			c.text++
			c.open = true
			c.head = `{"type":"text-delta","id":"` + c.textID() + `","delta":`
			f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeTextStart, ID: c.textID()})
		}
		f.addDelta(c.head, e.Content)
	case eventlog.Reset:
		c.reset(f, e)
	case eventlog.Done:
		c.done(f, e)
	case eventlog.Ready:
		c.end(f)
		f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeFinishStep})
		f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeFinish})
		f.WriteString(doneFrame)
	case eventlog.Failed:
		c.fail(f, e.Err)
	}
	return f.Bytes()
}

func (c *Chat) textID() string { return strconv.Itoa(c.text) }

// end ends the open text, if there is one.
func (c *Chat) end(f *frames) {
	if c.open {
		f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeTextEnd, ID: c.textID()})
		c.open = false
	}
}

// reset removes the text that the reader has. Before version 7, the AI SDK has no frame for that.
func (c *Chat) reset(f *frames, e eventlog.Reset) {
	if c.text == 0 {
		return
	}
	if c.version >= V7 {
		c.open = false
		f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeResetStep})
		return
	}
	c.end(f)
	f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeDataAttempt, Data: &api.UIData{Attempt: e.Attempt}})
}

func (c *Chat) done(f *frames, e eventlog.Done) {
	c.end(f)
	f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeFinishStep})
	metadata := c.convert.Metadata(e)
	finish := api.UIMessageChunk{Type: api.UIMessageChunkTypeFinish, MessageMetadata: &metadata}
	if c.version >= V7 {
		finish.FinishReason = metadata.FinishReason
	}
	f.add(finish)
	f.WriteString(doneFrame)
}

func (c *Chat) fail(f *frames, why *apperr.Error) {
	c.end(f)
	if why.Code == apperr.Cancelled {
		abort := api.UIMessageChunk{Type: api.UIMessageChunkTypeAbort}
		if c.version >= V7 {
			abort.Reason = stopped
		}
		f.add(abort)
		f.WriteString(doneFrame)
		return
	}
	data := c.convert.Problem(why)
	f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeDataFailed, Data: &data, Transient: true})
	f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeError, ErrorText: data.Detail})
	f.WriteString(doneFrame)
}

// Unanswered returns a stream that adds no message: a start frame without an id and metadata makes none.
func (c *Chat) Unanswered(why *apperr.Error) []byte {
	var f frames
	data := c.convert.Problem(why)
	f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeStart})
	f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeDataUnanswered, Data: &data, Transient: true})
	f.add(api.UIMessageChunk{Type: api.UIMessageChunkTypeFinish})
	f.WriteString(doneFrame)
	return f.Bytes()
}

// BrokenOff returns an error: the client may resume.
func (c *Chat) BrokenOff(why *apperr.Error) []byte {
	var f frames
	c.fail(&f, why)
	return f.Bytes()
}
