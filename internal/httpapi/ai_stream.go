package httpapi

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
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

// streamsPause is the Retry-After while too many streams are open.
const streamsPause = 5 * time.Second

// streams limits how many streams are open at a time.
type streams struct {
	limit, limitEach int

	mu    sync.Mutex
	count int
	each  map[caller]int
}

func newStreams(limit, limitEach int) *streams {
	return &streams{limit: limit, limitEach: limitEach, each: make(map[caller]int)}
}

// enter counts a stream, or a long poll, until leave is called. It returns RateLimited when the caller has too many
// open, and TooManyStreams when the server has.
func (s *streams) enter(who caller) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refused *apperr.Error
	switch {
	case s.each[who] >= s.limitEach:
		refused = apperr.New(apperr.RateLimited, "The account has reached its limit of open streams.")
	case s.count >= s.limit:
		refused = apperr.New(apperr.TooManyStreams, "The server has reached its limit of open streams.")
	default:
		s.count++
		s.each[who]++
		return func() { s.leave(who) }, nil
	}
	return nil, refused.After(streamsPause)
}

// open returns how many streams are open.
func (s *streams) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

func (s *streams) leave(who caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count--
	s.each[who]--
	if s.each[who] == 0 {
		delete(s.each, who)
	}
}

// stream opens a stream on the reader that open returns. It returns the errors of streams.enter and open.
func (s *Server) stream(
	ctx context.Context, encoder uistream.Encoder, open func() (*assistant.Reader, error),
) (aiResponseStream, error) {
	leave, err := s.streams.enter(callerFrom(ctx))
	if err != nil {
		return aiResponseStream{}, err
	}
	var reader *assistant.Reader
	err = apart(func() (err error) {
		reader, err = open()
		return err
	})
	if err != nil {
		leave()
		return aiResponseStream{}, err
	}
	return aiResponseStream{ctx: ctx, reader: reader, encoder: encoder, permits: s.permits, leave: leave}, nil
}
