package httpapi

import (
	"context"
	"errors"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/assistant"
)

// StreamAIResponse streams the answer to the ticket's turn.
func (s *Server) StreamAIResponse(
	ctx context.Context, r api.StreamAIResponseRequestObject,
) (api.StreamAIResponseResponseObject, error) {
	last := assistant.ParseEventID(r.Params.LastEventID)
	var reader *assistant.Reader
	err := apart(func() (err error) {
		reader, err = s.assistant.Open(ctx, actorFrom(ctx), r.TicketID, last)
		return err
	})
	if errors.Is(err, assistant.ErrUpToDate) {
		return api.StreamAIResponse204Response{}, nil
	}
	if err != nil {
		return nil, err
	}
	return aiResponseStream{ctx: ctx, reader: reader}, nil
}
