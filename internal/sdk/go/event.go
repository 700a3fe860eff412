package client

import (
	"encoding/json"
	"fmt"

	"github.com/supportbackend/support/gen/client/plain"
)

// Event is one event of an answer's stream: a [Start], [Delta], [Reset], [Done], [Ready] or [Failed].
type Event interface {
	// ID is the event's id in the stream, for WithLastEventID. It is empty for a Start.
	ID() string
	// frame returns the event as it was sent, without data if the caller made the event.
	frame() frame
	withFrame(f frame) Event
}

// Start names the AI response of the following events. It is the first event of a stream, and occurs again when another
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
	// Attempt is the number of the attempt at this answer, from 1.
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

// Reset means that the answer starts over with the next Delta: clear the text so far.
type Reset struct {
	// EventID is the event's id in the stream.
	EventID string `json:"-"`
	// Type is "reset".
	Type plain.ResetEventType `json:"type"`
	// Attempt is the number of the attempt that begins.
	Attempt plain.Attempt `json:"attempt"`

	sent string // the data
}

// Done means that the answer is complete and stored as a message. It ends the stream.
type Done struct {
	// EventID is the event's id in the stream.
	EventID string `json:"-"`
	// Type is "done".
	Type plain.DoneEventType `json:"type"`
	// AIResponseID is the AI response that ended.
	AIResponseID plain.ID `json:"ai_response_id"`
	// Message is the stored message. Its content is that of all deltas since the last Reset.
	Message plain.Message `json:"message"`
	// FinishReason is why the model stopped: it had finished, or the answer was cut off at its limit.
	FinishReason plain.FinishReason `json:"finish_reason"`
	// Usage counts the answer's tokens.
	Usage plain.Usage `json:"usage"`

	sent string // the data
}

// Ready means that a text for staff is complete: a draft, which waits for review, or the result of a request by staff.
// It ends the stream. AskAI and AnswerOf return it as their error, because there is no message.
type Ready struct {
	// EventID is the event's id in the stream.
	EventID string `json:"-"`
	// Type is "ready".
	Type plain.ReadyEventType `json:"type"`
	// AIResponseID is the AI response that ended.
	AIResponseID plain.ID `json:"ai_response_id"`
	// Content is the text of all deltas since the last Reset.
	Content string `json:"content"`
	// FinishReason is why the model stopped: it had finished, or the text was cut off at its limit.
	FinishReason plain.FinishReason `json:"finish_reason"`
	// Usage counts the text's tokens.
	Usage plain.Usage `json:"usage"`

	sent string // the data
}

// Failed means that there is no answer, and says why. It ends the stream. AskAI and AnswerOf return it as their error.
// The text so far is not stored.
type Failed struct {
	// EventID is the event's id in the stream.
	EventID string `json:"-"`
	// Type is "failed".
	Type plain.FailedEventType `json:"type"`
	// AIResponseID is the AI response that ended.
	AIResponseID plain.ID `json:"ai_response_id"`
	// Code is the reason, such as "superseded" (a human took over) or "ai_overloaded".
	Code plain.AIFailureCode `json:"code"`
	// Detail explains the failure to people.
	Detail string `json:"detail"`
	// Retryable means that asking again may succeed.
	Retryable bool `json:"retryable"`

	sent string // the data
}

// Error returns that there is a text but no message.
func (e Ready) Error() string {
	return fmt.Sprintf("support: AI response %s is for staff", e.AIResponseID)
}

// Error returns why there is no answer.
func (e Failed) Error() string { return fmt.Sprintf("support: no answer: %s: %s", e.Code, e.Detail) }

// ID returns "": a stream cannot begin after a Start.
func (Start) ID() string { return "" }

// ID returns the event's id in the stream.
func (e Delta) ID() string { return e.EventID }

// ID returns the event's id in the stream.
func (e Reset) ID() string { return e.EventID }

// ID returns the event's id in the stream.
func (e Done) ID() string { return e.EventID }

// ID returns the event's id in the stream.
func (e Ready) ID() string { return e.EventID }

// ID returns the event's id in the stream.
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

// EventOf returns an event that ListAIResponseEvents polled, or nil for a type that this version of the SDK does not
// know. It has no ID: polled events have a number, Seq.
func EventOf(polled plain.AIResponseEvent) (Event, error) {
	data, err := polled.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return decodeEvent(frame{data: data})
}

// decoders holds the known types of events.
var decoders = map[string]func(frame) (Event, error){
	"start":  decodeAs[Start],
	"delta":  decodeAs[Delta],
	"reset":  decodeAs[Reset],
	"done":   decodeAs[Done],
	"ready":  decodeAs[Ready],
	"failed": decodeAs[Failed],
}

// decodeEvent returns nil for an unknown type of event. An event's name is its type, but Delta has no name.
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
