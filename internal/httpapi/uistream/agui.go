package uistream

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
)

// Run encodes a run of AG-UI.
type Run struct {
	threadID     uuid.UUID
	runID        string
	conversation func() ([]api.AGUIMessage, error)
	convert      Convert
	messageID    uuid.UUID
	// shown means that the reader has a part of the answer, and open that its message has not ended.
	shown, open bool
	// failed means that the run has ended early.
	failed bool
	// head is the beginning of a delta's frame.
	head string
	f    frames
}

var _ Encoder = (*Run)(nil)

// NewRun returns an encoder for one run. conversation returns the thread; few runs need it, and it is too large to keep.
func NewRun(threadID uuid.UUID, runID string, conversation func() ([]api.AGUIMessage, error), convert Convert) *Run {
	return &Run{threadID: threadID, runID: runID, conversation: conversation, convert: convert}
}

// SetHeader sets the headers of a stream.
func (r *Run) SetHeader(header http.Header) { setHeader(header) }

// Begin returns the start of the run.
func (r *Run) Begin() []byte {
	var f frames
	f.WriteString(opening)
	f.add(api.AGUIEvent{Type: api.AGUIEventTypeRUNSTARTED, ThreadID: &r.threadID, RunID: r.runID})
	return f.Bytes()
}

// Frame returns an event's frame.
func (r *Run) Frame(entry eventlog.Entry) []byte {
	f := &r.f
	f.Reset()
	if r.failed {
		return nil
	}
	switch e := entry.Event.(type) {
	case eventlog.Start:
		r.messageID = e.Response.ID
		r.head = `{"type":"TEXT_MESSAGE_CONTENT","messageId":"` + r.messageID.String() + `","delta":`
	case eventlog.Delta:
		if !r.open {
			r.open, r.shown = true, true
			f.add(api.AGUIEvent{Type: api.AGUIEventTypeTEXTMESSAGESTART, MessageID: &r.messageID, Role: api.AGUIEventRoleAssistant})
		}
		f.addDelta(r.head, e.Content)
	case eventlog.Reset:
		r.reset(f)
	case eventlog.Done:
		r.end(f)
		r.finish(f)
	case eventlog.Ready:
		r.end(f)
		r.finish(f)
	case eventlog.Failed:
		r.fail(f, e.Err)
	}
	return f.Bytes()
}

// end ends the open message, if there is one.
func (r *Run) end(f *frames) {
	if r.open {
		f.add(api.AGUIEvent{Type: api.AGUIEventTypeTEXTMESSAGEEND, MessageID: &r.messageID})
		r.open = false
	}
}

// reset replaces the reader's messages with the conversation without the answer.
func (r *Run) reset(f *frames) {
	if !r.shown {
		return
	}
	messages, err := r.conversation()
	if err != nil {
		r.fail(f, apperr.From(err))
		return
	}
	// The answer may have been stored in the meantime. Clients would add the events that follow to its text.
	answer := r.messageID.String()
	messages = slices.DeleteFunc(messages, func(m api.AGUIMessage) bool { return m.ID == answer })
	r.end(f)
	f.add(api.AGUIEvent{Type: api.AGUIEventTypeMESSAGESSNAPSHOT, Messages: messages})
	r.shown = false
}

func (r *Run) finish(f *frames) {
	f.add(api.AGUIEvent{Type: api.AGUIEventTypeRUNFINISHED, ThreadID: &r.threadID, RunID: r.runID})
}

// fail ends the run early, once.
func (r *Run) fail(f *frames, why *apperr.Error) {
	if r.failed {
		return
	}
	r.end(f)
	data := r.convert.Problem(why)
	f.add(api.AGUIEvent{Type: api.AGUIEventTypeRUNERROR, Message: data.Detail, Code: data.Code})
	r.failed = true
}

// Unanswered returns the end of a run that adds no message.
func (r *Run) Unanswered(why *apperr.Error) []byte {
	var f frames
	data := r.convert.Problem(why)
	f.add(api.AGUIEvent{Type: api.AGUIEventTypeCUSTOM, Name: api.AGUIEventNameUnanswered, Value: &data})
	r.finish(&f)
	return f.Bytes()
}

// BrokenOff returns an error: the client may run again with the same messages.
func (r *Run) BrokenOff(why *apperr.Error) []byte {
	var f frames
	r.fail(&f, why)
	return f.Bytes()
}
