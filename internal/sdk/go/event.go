package client

import (
	"encoding/json"
	"fmt"

	"github.com/supportbackend/support/gen/client/plain"
)

// Event is one event of an answer's stream: a [Start], [Delta], [Reset], [Done], [Ready] or [Failed].
type Event interface {
	// ID is the event's id in the stream: a stream that begins with WithLastEventID goes on after it. It is empty for a Start.
	ID() string
	// frame is the event as it was sent; without data when the caller made the event.
	frame() frame
	withFrame(f frame) Event
}

// Start says which AI response the following events are of. It is the first event of a stream, and comes again when another
// AI response takes over.
type Start struct {
	// Type is "start".
	Type plain.StartEventType `json:"type"`
	// AIResponseID is the AI response being streamed.
	AIResponseID plain.ID `json:"ai_response_id"`
	// TicketID is the ticket it answers.
	TicketID plain.ID `json:"ticket_id"`
	// Model is the model's name at the upstream.
	Model plain.Model `json:"model"`
	// Attempt is which attempt at this answer it is, from 1.
	Attempt plain.Attempt `json:"attempt"`

	sent string // the data
}

// Delta is the next piece of the answer: append Content to what you have shown.
type Delta struct {
	// EventID is the event's id in the stream.
	EventID string `json:"-"`
	// Type is "delta".
	Type plain.DeltaEventType `json:"type"`
	// Content is a piece of text, never empty. It is plain text: show it escaped.
	Content string `json:"content"`

	sent string // the data
}

// Reset says that the answer begins again, with the next Delta: clear what you have shown.
type Reset struct {
	// EventID is the event's id in the stream.
	EventID string `json:"-"`
	// Type is "reset".
	Type plain.ResetEventType `json:"type"`
	// Attempt is which attempt at this answer begins.
	Attempt plain.Attempt `json:"attempt"`

	sent string // the data
}

// Done says that the answer is complete and stored as a message. It ends the stream.
type Done struct {
	// EventID is the event's id in the stream.
	EventID string `json:"-"`
	// Type is "done".
	Type plain.DoneEventType `json:"type"`
	// AIResponseID is the AI response that ended.
	AIResponseID plain.ID `json:"ai_response_id"`
	// Message is the message that was stored. Its content is that of the deltas since the last Reset, joined.
	Message plain.Message `json:"message"`
	// FinishReason is why the model stopped: it was finished, or the answer reached its limit and is cut.
	FinishReason plain.FinishReason `json:"finish_reason"`
	// Usage counts the tokens that the answer took.
	Usage plain.Usage `json:"usage"`

	sent string // the data
}

// Ready says that a text that only staff may read is complete: a draft, which waits for review, or what staff asked the AI for. It
// ends the stream, and is the error of AskAI and AnswerOf, as there is no message.
type Ready struct {
	// EventID is the event's id in the stream.
	EventID string `json:"-"`
	// Type is "ready".
	Type plain.ReadyEventType `json:"type"`
	// AIResponseID is the AI response that ended.
	AIResponseID plain.ID `json:"ai_response_id"`
	// Content is the text: that of the deltas since the last Reset, joined.
	Content string `json:"content"`
	// FinishReason is why the model stopped: it was finished, or the text reached its limit and is cut.
	FinishReason plain.FinishReason `json:"finish_reason"`
	// Usage counts the tokens that the text took.
	Usage plain.Usage `json:"usage"`

	sent string // the data
}

// Failed says that there is no answer, and why. It ends the stream, and is the error of AskAI and AnswerOf. What was shown
// is not stored.
type Failed struct {
	// EventID is the event's id in the stream.
	EventID string `json:"-"`
	// Type is "failed".
	Type plain.FailedEventType `json:"type"`
	// AIResponseID is the AI response that ended.
	AIResponseID plain.ID `json:"ai_response_id"`
	// Code is why: for example "superseded", a human took over, or "ai_overloaded".
	Code plain.AIFailureCode `json:"code"`
	// Detail is what happened, for people.
	Detail string `json:"detail"`
	// Retryable says whether asking again may succeed.
	Retryable bool `json:"retryable"`

	sent string // the data
}

// Error says that there is a text, but no message.
func (e Ready) Error() string {
	return fmt.Sprintf("support: AI response %s is for staff", e.AIResponseID)
}

// Error says why there is no answer.
func (e Failed) Error() string { return fmt.Sprintf("support: no answer: %s: %s", e.Code, e.Detail) }

// ID is empty: a stream cannot begin after a Start.
func (Start) ID() string { return "" }

// ID is the event's id in the stream.
func (e Delta) ID() string { return e.EventID }

// ID is the event's id in the stream.
func (e Reset) ID() string { return e.EventID }

// ID is the event's id in the stream.
func (e Done) ID() string { return e.EventID }

// ID is the event's id in the stream.
func (e Ready) ID() string { return e.EventID }

// ID is the event's id in the stream.
func (e Failed) ID() string { return e.EventID }

func (e Start) frame() frame  { return frame{"", "start", []byte(e.sent)} }
func (e Delta) frame() frame  { return frame{e.EventID, "", []byte(e.sent)} }
func (e Reset) frame() frame  { return frame{e.EventID, "reset", []byte(e.sent)} }
func (e Done) frame() frame   { return frame{e.EventID, "done", []byte(e.sent)} }
func (e Ready) frame() frame  { return frame{e.EventID, "ready", []byte(e.sent)} }
func (e Failed) frame() frame { return frame{e.EventID, "failed", []byte(e.sent)} }

func (e Start) withFrame(f frame) Event  { e.sent = string(f.data); return e }
func (e Delta) withFrame(f frame) Event  { e.EventID, e.sent = f.id, string(f.data); return e }
func (e Reset) withFrame(f frame) Event  { e.EventID, e.sent = f.id, string(f.data); return e }
func (e Done) withFrame(f frame) Event   { e.EventID, e.sent = f.id, string(f.data); return e }
func (e Ready) withFrame(f frame) Event  { e.EventID, e.sent = f.id, string(f.data); return e }
func (e Failed) withFrame(f frame) Event { e.EventID, e.sent = f.id, string(f.data); return e }

// EventOf returns the event that was polled with ListAIResponseEvents, or nil if this version of the contract does not have it.
// It has no ID: what was polled has a number, Seq.
func EventOf(polled plain.AIResponseEvent) (Event, error) {
	data, err := polled.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return decodeEvent(frame{data: data})
}

// decoders has the kinds of events that this version of the contract has.
var decoders = map[string]func(frame) (Event, error){
	"start":  decodeAs[Start],
	"delta":  decodeAs[Delta],
	"reset":  decodeAs[Reset],
	"done":   decodeAs[Done],
	"ready":  decodeAs[Ready],
	"failed": decodeAs[Failed],
}

// decodeEvent returns nil for an event that this version of the contract does not have. The event's name is its type, but
// Delta has no name.
func decodeEvent(f frame) (Event, error) {
	if _, known := decoders[f.name]; f.name != "" && !known {
		return nil, nil
	}
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(f.data, &kind); err != nil {
		return nil, err
	}
	if decode, known := decoders[kind.Type]; known {
		return decode(f)
	}
	return nil, nil
}

func decodeAs[E Event](f frame) (Event, error) {
	var event E
	if err := json.Unmarshal(f.data, &event); err != nil {
		return nil, err
	}
	return event.withFrame(f), nil
}
