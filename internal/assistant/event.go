package assistant

import (
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

// Event is one step of an AI response, as its readers get it: a Start, then Deltas and Resets, then a Done or a Failed.
type Event interface {
	// Seq numbers the events of a response from 1; the Start of a stream has 0, and so has a Reset that only tells one
	// reader to begin anew.
	Seq() int64
}

// Start begins every stream.
type Start struct {
	Response sqlc.AIResponse
}

// Delta is the next piece of text.
type Delta struct {
	ID      EventID
	Content string
}

// Reset says that the text begins anew: what a reader has shown is not part of it.
type Reset struct {
	ID      EventID
	Attempt int32
}

// Done is the end of a response that is stored as a message.
type Done struct {
	ID       EventID
	Response sqlc.AIResponse
	Message  sqlc.Message
}

// Failed is the end of a response that has no message.
type Failed struct {
	ID  EventID
	Err *apperr.Error
}

func (Start) Seq() int64    { return 0 }
func (e Delta) Seq() int64  { return e.ID.Seq }
func (e Reset) Seq() int64  { return e.ID.Seq }
func (e Done) Seq() int64   { return e.ID.Seq }
func (e Failed) Seq() int64 { return e.ID.Seq }

// EventID names one event of one response. On the wire it is the response's id, a colon and the number.
type EventID struct {
	ResponseID uuid.UUID
	Seq        int64
}

// String is the form that goes over the wire.
func (id EventID) String() string {
	return id.ResponseID.String() + ":" + strconv.FormatInt(id.Seq, 10)
}

// ParseEventID reads the form that String writes. Anything else is no event's id, and is the zero EventID: a reader that
// sends it gets the whole answer.
func ParseEventID(s string) EventID {
	response, number, _ := strings.Cut(s, ":")
	id, err := uuid.Parse(response)
	if err != nil {
		return EventID{}
	}
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil || seq < 0 {
		return EventID{}
	}
	parsed := EventID{ResponseID: id, Seq: seq}
	if parsed.String() != s {
		return EventID{}
	}
	return parsed
}

// IsEnd reports whether no event comes after this one.
func IsEnd(e Event) bool {
	switch e.(type) {
	case Done, Failed:
		return true
	default:
		return false
	}
}
