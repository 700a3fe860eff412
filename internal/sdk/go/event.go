package client

import (
	"encoding/json"
	"fmt"

	"github.com/supportbackend/support/gen/client/plain"
)

// Event is one event of an answer's stream: a [Start], [Delta], [Reset], [Done] or [Failed].
type Event interface{ isEvent() }

type (
	// Start says which AI response the following events are of.
	Start struct{ plain.StartEvent }
	// Delta is the next part of the answer.
	Delta struct{ plain.DeltaEvent }
	// Reset says that the answer begins again: clear what you have shown.
	Reset struct{ plain.ResetEvent }
	// Done has the message that the answer is stored as.
	Done struct{ plain.DoneEvent }
	// Failed says why there is no answer. It is the error of AskAI.
	Failed struct{ plain.FailedEvent }
)

func (Start) isEvent()  {}
func (Delta) isEvent()  {}
func (Reset) isEvent()  {}
func (Done) isEvent()   {}
func (Failed) isEvent() {}

// Error says why there is no answer.
func (e Failed) Error() string { return fmt.Sprintf("support: no answer: %s: %s", e.Code, e.Detail) }

// EventOf returns the event that was polled with ListAIResponseEvents, or nil if this version of the contract does not have it.
func EventOf(polled plain.AIResponseEvent) (Event, error) {
	data, err := polled.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return decodeEvent("", data)
}

// decoders has the kinds of events that this version of the contract has.
var decoders = map[string]func([]byte) (Event, error){
	"start":  decodeAs[Start],
	"delta":  decodeAs[Delta],
	"reset":  decodeAs[Reset],
	"done":   decodeAs[Done],
	"failed": decodeAs[Failed],
}

// decodeEvent returns nil for an event that this version of the contract does not have. The event's name is its type, but
// Delta has no name.
func decodeEvent(name string, data []byte) (Event, error) {
	if _, known := decoders[name]; name != "" && !known {
		return nil, nil
	}
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, err
	}
	if decode, known := decoders[kind.Type]; known {
		return decode(data)
	}
	return nil, nil
}

func decodeAs[E Event](data []byte) (Event, error) {
	var event E
	err := json.Unmarshal(data, &event)
	return event, err
}
