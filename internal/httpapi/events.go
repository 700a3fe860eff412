package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/httpapi/limit"
	"github.com/supportbackend/support/internal/journal"
)

// ListEvents returns the events after a position, and waits if there are none yet.
func (s *Server) ListEvents(ctx context.Context, r api.ListEventsRequestObject) (api.ListEventsResponseObject, error) {
	leave, err := s.streams.Enter(callerFrom(ctx))
	if err != nil {
		return nil, err
	}
	defer leave()
	actor := actorFrom(ctx)
	filter, limit, wait := fromListEventsParams(r.Params)
	page, err := s.Journal.Find(ctx, actor, filter, r.Params.After, limit, wait)
	if err != nil {
		return nil, err
	}
	return api.ListEvents200JSONResponse{Body: toDeskEvents(page, actor)}, nil
}

// GetTimeline returns the events of a ticket.
func (s *Server) GetTimeline(ctx context.Context, r api.GetTimelineRequestObject) (api.GetTimelineResponseObject, error) {
	actor := actorFrom(ctx)
	if _, err := s.Tickets.Find(ctx, actor, r.TicketID); err != nil {
		return nil, err
	}
	filter := journal.Filter{Types: fromTypes(r.Params.Types), TicketID: &r.TicketID}
	page, err := s.Journal.Timeline(ctx, actor, filter, r.Params.After, fromEventLimit(r.Params.Limit))
	if err != nil {
		return nil, err
	}
	return api.GetTimeline200JSONResponse{Body: toDeskEvents(page, actor)}, nil
}

// StreamEvents streams the desk's events.
func (s *Server) StreamEvents(ctx context.Context, r api.StreamEventsRequestObject) (api.StreamEventsResponseObject, error) {
	leave, err := s.streams.Enter(callerFrom(ctx))
	if err != nil {
		return nil, err
	}
	filter, after := fromStreamEventsParams(r.Params)
	stream := &deskStream{
		ctx: ctx, journal: s.Journal, actor: actorFrom(ctx), filter: filter, permits: s.permits, unread: &s.unread, leave: leave,
	}
	if stream.page, err = s.Journal.Find(ctx, stream.actor, filter, after, streamedEvents, 0); err != nil {
		leave()
		return nil, err
	}
	return stream, nil
}

// streamedEvents is how many events a stream reads at a time.
const streamedEvents = 200

// deskStream is the response of streamEvents.
type deskStream struct {
	// ctx is the request's, and from begin on that of whileAllowed: the generated interface has no place for it.
	ctx     context.Context
	journal *journal.Service
	actor   auth.Actor
	filter  journal.Filter
	// page is the page of events to send.
	page    journal.Page
	permits *permits
	unread  *limit.Unread
	// leave means that the stream has ended, and stop ends ctx.
	leave, stop func()
	frames      *eventStream
	encoder     nativeEncoder
}

var _ stream = (*deskStream)(nil)

// VisitStreamEventsResponse is for streamEvents.
func (s *deskStream) VisitStreamEventsResponse(http.ResponseWriter) error { return handOver(s.ctx, s) }

// begin sends the headers.
func (s *deskStream) begin(w http.ResponseWriter) error {
	s.ctx, s.stop = s.permits.whileAllowed(s.ctx)
	s.frames = newEventStream(w)
	s.encoder.SetHeader(w.Header())
	return s.frames.open(s.encoder.Begin())
}

// follow writes events until the client is gone, the server drains, or the client has too many bytes to read.
func (s *deskStream) follow() (err error) {
	for err == nil {
		release, refused := s.unread.Hold(callerFrom(s.ctx), s.page.Bytes)
		if refused != nil {
			return s.frames.write(s.encoder.BrokenOff(apperr.From(refused)))
		}
		err = s.send()
		release()
		if err != nil {
			return err
		}
		position := s.page.Position
		s.page = journal.Page{} // A stream may wait for a long time without it.
		s.page, err = s.journal.Find(s.ctx, s.actor, s.filter, &position, streamedEvents, untilHeartbeat(time.Now()))
		select {
		case <-s.journal.Drained():
			return s.frames.write(s.encoder.BrokenOff(errMoved()))
		case <-s.ctx.Done():
			return s.frames.write(s.encoder.BrokenOff(errWithdrawnProblem())) // It fails if the client is gone.
		default:
		}
	}
	return err
}

// close releases the stream's place.
func (s *deskStream) close() {
	if s.stop != nil {
		s.stop()
	}
	s.leave()
}

// send sends the page, and its position if that is beyond its last event.
func (s *deskStream) send() error {
	last := int64(-1)
	for _, e := range s.page.Entries {
		encoded, _ := encodeJSON(toDeskEvent(e, s.actor.IsStaff())) // Every field has a JSON form.
		if err := s.frames.add(fmt.Appendf(nil, "id: %d\ndata: %s\n\n", e.Position, encoded)); err != nil {
			return err
		}
		last = e.Position
	}
	if s.page.Position != last {
		// Without data there is no event, but a browser remembers the id.
		if err := s.frames.add(fmt.Appendf(nil, ": keep-alive\nid: %d\n\n", s.page.Position)); err != nil {
			return err
		}
	}
	return s.frames.flush()
}
