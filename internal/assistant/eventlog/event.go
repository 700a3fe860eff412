package eventlog

import (
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

// Event is one step of an AI response: a Start, then Deltas and Resets, then a Done, a Ready or a Failed.
type Event interface {
	// id identifies the event. The Start of a stream has the number 0, and so has a Reset that tells only one reader to
	// start over.
	id() EventID
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

// Reset means that the text starts over: readers discard what they have.
type Reset struct {
	ID      EventID
	Attempt int32
}

// Done ends a response that is stored as a message.
type Done struct {
	ID       EventID
	Response sqlc.AIResponse
	Message  sqlc.Message
}

// Ready ends a response that only staff may see: its text is complete, but not a message.
type Ready struct {
	ID       EventID
	Response sqlc.AIResponse
}

// Failed ends a response without a text.
type Failed struct {
	ID  EventID
	Err *apperr.Error
}

func (e Start) id() EventID  { return EventID{ResponseID: e.Response.ID} }
func (e Delta) id() EventID  { return e.ID }
func (e Reset) id() EventID  { return e.ID }
func (e Done) id() EventID   { return e.ID }
func (e Ready) id() EventID  { return e.ID }
func (e Failed) id() EventID { return e.ID }

// IDOf returns the event's id.
func IDOf(e Event) EventID { return e.id() }

// EventID identifies one event of one response. On the wire, it is the response's id, a colon and the number; from the
// second attempt on, a colon and the attempt follow.
type EventID struct {
	ResponseID uuid.UUID
	// Seq numbers the events of a response from 1.
	Seq int64
	// Attempt is the attempt that wrote the event. If the database loses its last moments and another attempt takes
	// over, the same number may be another event. 0 matches any attempt.
	Attempt int32
}

// matches reports whether the id matches one that a reader sent.
func (id EventID) matches(given EventID) bool {
	return id.ResponseID == given.ResponseID && id.Seq == given.Seq && (given.Attempt == 0 || given.Attempt == id.Attempt)
}

// EndOf returns the id of the last event of a response that has ended.
func EndOf(response sqlc.AIResponse) EventID {
	return EventID{ResponseID: response.ID, Seq: response.LastSeq, Attempt: response.Attempt}
}

// String returns the id's form on the wire.
func (id EventID) String() string {
	s := id.ResponseID.String() + ":" + strconv.FormatInt(id.Seq, 10)
	if id.Attempt > 1 {
		s += ":" + strconv.Itoa(int(id.Attempt))
	}
	return s
}

// ParseEventID parses the form on the wire. For anything else, it returns the zero EventID, so that a reader that sends
// it gets the whole answer.
func ParseEventID(s string) EventID {
	response, number, _ := strings.Cut(s, ":")
	number, attempt, later := strings.Cut(number, ":")
	id, err := uuid.Parse(response)
	if err != nil {
		return EventID{}
	}
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil || seq < 0 {
		return EventID{}
	}
	parsed := EventID{ResponseID: id, Seq: seq, Attempt: 1}
	if later {
		n, err := strconv.ParseInt(attempt, 10, 32)
		if err != nil {
			return EventID{}
		}
		parsed.Attempt = int32(n)
	}
	if parsed.String() != s {
		return EventID{}
	}
	return parsed
}

// IsEnd reports whether no event comes after this one.
func IsEnd(e Event) bool {
	switch e.(type) {
	case Done, Ready, Failed:
		return true
	default:
		return false
	}
}
