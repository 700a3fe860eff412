package httpapi

import (
	"cmp"
	"context"
	"errors"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/httpapi/uistream"
)

// StreamAIResponse streams the answer to the ticket's turn.
func (s *Server) StreamAIResponse(
	ctx context.Context, r api.StreamAIResponseRequestObject,
) (api.StreamAIResponseResponseObject, error) {
	stream, err := s.stream(ctx, nativeEncoder{}, func() (*assistant.Reader, error) {
		return s.Assistant.Open(ctx, actorFrom(ctx), r.TicketID, lastEventID(r.Params.LastEventID, r.Params.LastEventIDInQuery))
	})
	if errors.Is(err, eventlog.ErrUpToDate) {
		return api.StreamAIResponse204Response{}, nil
	}
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// StreamAIResponseByID streams one AI response.
func (s *Server) StreamAIResponseByID(
	ctx context.Context, r api.StreamAIResponseByIDRequestObject,
) (api.StreamAIResponseByIDResponseObject, error) {
	stream, err := s.stream(ctx, nativeEncoder{}, func() (*assistant.Reader, error) {
		return s.Assistant.OpenResponse(ctx, actorFrom(ctx), r.AIResponseID, lastEventID(r.Params.LastEventID, r.Params.LastEventIDInQuery))
	})
	if errors.Is(err, eventlog.ErrUpToDate) {
		return api.StreamAIResponseByID204Response{}, nil
	}
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// lastEventID parses the id of the last event that a reader received, from the header or the query parameter.
func lastEventID(header, query string) eventlog.EventID {
	return eventlog.ParseEventID(cmp.Or(header, query))
}

// stream opens a stream on the reader that open returns. It returns the errors of limit.Streams and open.
func (s *Server) stream(
	ctx context.Context, encoder uistream.Encoder, open func() (*assistant.Reader, error),
) (*aiResponseStream, error) {
	leave, err := s.streams.Enter(callerFrom(ctx))
	if err != nil {
		return nil, err
	}
	reader, err := open()
	if err != nil {
		leave()
		return nil, err
	}
	return &aiResponseStream{ctx: ctx, reader: reader, encoder: encoder, permits: s.permits, leave: leave}, nil
}
