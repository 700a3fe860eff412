package httpapi

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
)

// StreamAIResponse streams the answer to the ticket's turn.
func (s *Server) StreamAIResponse(
	ctx context.Context, r api.StreamAIResponseRequestObject,
) (api.StreamAIResponseResponseObject, error) {
	stream, err := s.streams.open(ctx, func() (*assistant.Reader, error) {
		return s.assistant.Open(ctx, actorFrom(ctx), r.TicketID, lastEventID(r.Params.LastEventID, r.Params.LastEventIDInQuery))
	})
	if errors.Is(err, assistant.ErrUpToDate) {
		return api.StreamAIResponse204Response{}, nil
	}
	return stream, err
}

// StreamAIResponseByID streams one AI response.
func (s *Server) StreamAIResponseByID(
	ctx context.Context, r api.StreamAIResponseByIDRequestObject,
) (api.StreamAIResponseByIDResponseObject, error) {
	stream, err := s.streams.open(ctx, func() (*assistant.Reader, error) {
		return s.assistant.OpenResponse(ctx, actorFrom(ctx), r.AIResponseID, lastEventID(r.Params.LastEventID, r.Params.LastEventIDInQuery))
	})
	if errors.Is(err, assistant.ErrUpToDate) {
		return api.StreamAIResponseByID204Response{}, nil
	}
	return stream, err
}

// lastEventID is the last event that a reader has, as the header or the query parameter names it.
func lastEventID(header, query string) assistant.EventID {
	return assistant.ParseEventID(cmp.Or(header, query))
}

// DefaultMaxStreams is how many streams a server has open at a time, unless Options says otherwise.
const DefaultMaxStreams = 12_000

// streamsPause is when to try again while there are that many.
const streamsPause = 5 * time.Second

// streams bounds the streams that are open at a time.
type streams struct {
	limit int64
	count atomic.Int64
}

// enter counts a stream, or a poll that waits like one, until leave is called. It returns TooManyStreams.
func (s *streams) enter() (leave func(), err error) {
	leave = func() { s.count.Add(-1) }
	if s.count.Add(1) > s.limit {
		leave()
		err := apperr.New(apperr.TooManyStreams, "This server has as many open streams as it takes.")
		err.RetryAfter = streamsPause
		return nil, err
	}
	return leave, nil
}

// open returns a stream of what read reads. It returns TooManyStreams, and what read returns.
func (s *streams) open(ctx context.Context, read func() (*assistant.Reader, error)) (aiResponseStream, error) {
	leave, err := s.enter()
	if err != nil {
		return aiResponseStream{}, err
	}
	var reader *assistant.Reader
	err = apart(func() (err error) {
		reader, err = read()
		return err
	})
	if err != nil {
		leave()
		return aiResponseStream{}, err
	}
	return aiResponseStream{ctx: ctx, reader: reader, leave: leave}, nil
}
