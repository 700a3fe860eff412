package httpapi

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/journal"
)

// The bridge between rows and the wire, of the desk's events.

// defaultEvents is the default size of a page of events.
const defaultEvents = 50

// EncodeEntry converts a journal entry as staff see it.
func EncodeEntry(e journal.Entry) any { return toDeskEvent(e, true) }

// toDeskEvent converts an entry. Only staff see the actor's account.
func toDeskEvent(e journal.Entry, staff bool) api.DeskEvent {
	event := api.DeskEvent{
		Position: e.Position, Type: e.Type, SchemaVersion: api.DeskEventSchemaVersionN20261126,
		OccurredAt: toTimestamp(e.OccurredAt), Actor: api.EventActor{Kind: api.EventActorKind(e.ActorKind)},
		TicketID: e.TicketID, SubjectID: e.SubjectID, Data: e.Data,
		Content: valueOf(e.Content), Title: valueOf(e.Title), Description: valueOf(e.Description),
	}
	if staff {
		event.Actor.ID = e.ActorID
	}
	return event
}

func toDeskEvents(p journal.Page, actor auth.Actor) api.DeskEvents {
	events := make([]api.DeskEvent, len(p.Entries))
	for i, e := range p.Entries {
		events[i] = toDeskEvent(e, actor.IsStaff())
	}
	return api.DeskEvents{Events: events, Position: p.Position, Head: max(p.Head, p.Position)}
}

func fromListEventsParams(p api.ListEventsParams) (f journal.Filter, limit int32, wait time.Duration) {
	f = journal.Filter{Types: fromTypes(p.Types), TicketID: p.TicketID}
	return f, fromEventLimit(p.Limit), time.Duration(valueOf(p.Wait)) * time.Second
}

func fromEventLimit(limit *int32) int32 {
	if limit == nil {
		return defaultEvents
	}
	return *limit
}

// fromTypes returns the requested types, nil for all.
func fromTypes(list *string) []string {
	if list == nil {
		return nil
	}
	return strings.Split(*list, ",")
}

// fromStreamEventsParams returns the filter and the position of the last event that the reader received. It ignores an
// id that is not a position.
func fromStreamEventsParams(p api.StreamEventsParams) (f journal.Filter, after *int64) {
	f = journal.Filter{Types: fromTypes(p.Types), TicketID: p.TicketID}
	position, err := strconv.ParseInt(cmp.Or(p.LastEventID, p.LastPositionInQuery), 10, 64)
	if err == nil && position >= 0 {
		return f, &position
	}
	return f, p.After
}
