package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/journal"
)

// ListEvents returns what happened after a position, and waits for it.
func (s *Server) ListEvents(ctx context.Context, r api.ListEventsRequestObject) (api.ListEventsResponseObject, error) {
	leave, err := s.streams.enter(callerFrom(ctx))
	if err != nil {
		return nil, err
	}
	defer leave()
	actor := actorFrom(ctx)
	filter, limit, wait := fromListEventsParams(r.Params)
	page, err := s.journal.Find(ctx, actor, filter, r.Params.After, limit, wait)
	if err != nil {
		return nil, err
	}
	return api.ListEvents200JSONResponse{Body: toDeskEvents(page, actor)}, nil
}

// GetTimeline returns what happened in a ticket.
func (s *Server) GetTimeline(ctx context.Context, r api.GetTimelineRequestObject) (api.GetTimelineResponseObject, error) {
	actor := actorFrom(ctx)
	if _, err := s.tickets.Find(ctx, actor, r.TicketID); err != nil {
		return nil, err
	}
	page, err := s.journal.Timeline(ctx, actor, r.TicketID, fromTypes(r.Params.Types), r.Params.After, fromEventLimit(r.Params.Limit))
	if err != nil {
		return nil, err
	}
	return api.GetTimeline200JSONResponse{Body: toDeskEvents(page, actor)}, nil
}

// StreamEvents streams what happens.
func (s *Server) StreamEvents(ctx context.Context, r api.StreamEventsRequestObject) (api.StreamEventsResponseObject, error) {
	leave, err := s.streams.enter(callerFrom(ctx))
	if err != nil {
		return nil, err
	}
	filter, after := fromStreamEventsParams(r.Params)
	stream := deskStream{ctx: ctx, journal: s.journal, actor: actorFrom(ctx), filter: filter, leave: leave}
	if stream.page, err = s.journal.Find(ctx, stream.actor, filter, after, streamedEvents, 0); err != nil {
		leave()
		return nil, err
	}
	return stream, nil
}

// streamedEvents is how many events a stream reads at a time.
const streamedEvents = 200

// deskStream is the response of streamEvents.
type deskStream struct {
	// ctx is the request's: the generated interface has no place for it.
	ctx     context.Context
	journal *journal.Service
	actor   auth.Actor
	filter  journal.Filter
	// page is what comes first.
	page journal.Page
	// leave means that the stream has ended.
	leave func()
}

// VisitStreamEventsResponse writes events until the client is gone or the server drains.
func (s deskStream) VisitStreamEventsResponse(w http.ResponseWriter) error {
	defer s.leave()
	ctx, stop := whileAllowed(s.ctx)
	defer stop()
	stream, encoder := newEventStream(w), nativeEncoder{}
	encoder.SetHeader(w.Header())
	err := stream.open(encoder.Begin())
	for err == nil {
		if err := stream.write(s.frames()); err != nil {
			return err
		}
		position := s.page.Position
		s.page, err = s.journal.Find(ctx, s.actor, s.filter, &position, streamedEvents, heartbeatInterval)
		select {
		case <-s.journal.Drained():
			return stream.write(encoder.BrokenOff(errMoved()))
		case <-ctx.Done():
			return stream.write(encoder.BrokenOff(errWithdrawnProblem())) // Or nobody is left to read it.
		default:
		}
	}
	return err
}

// frames are those of the page, and where it ends if that is further.
func (s deskStream) frames() []byte {
	var b bytes.Buffer
	last := int64(-1)
	for _, e := range s.page.Entries {
		encoded, _ := encodeJSON(toDeskEvent(e, s.actor.IsStaff())) // It has nothing that cannot be encoded.
		fmt.Fprintf(&b, "id: %d\ndata: %s\n\n", e.Position, encoded)
		last = e.Position
	}
	if s.page.Position != last {
		// Without data it is no event, but a browser keeps the id.
		fmt.Fprintf(&b, ": keep-alive\nid: %d\n\n", s.page.Position)
	}
	return b.Bytes()
}
