package httpapi

import (
	"context"
	"net/url"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/ticket"
)

const aiResponsesPath = "/ai-responses"

// CreateAIResponse starts the answer to the ticket's turn.
func (s *Server) CreateAIResponse(
	ctx context.Context, r api.CreateAIResponseRequestObject,
) (api.CreateAIResponseResponseObject, error) {
	response, started, err := s.Assistant.Start(ctx, actorFrom(ctx), r.TicketID, fromCreateAIResponseRequest(*r.Body))
	if err != nil {
		return nil, err
	}
	if !started {
		return api.CreateAIResponse200JSONResponse{Body: toAIResponse(actorFrom(ctx))(response)}, nil
	}
	return api.CreateAIResponse201JSONResponse{
		Body:    toAIResponse(actorFrom(ctx))(response),
		Headers: api.CreateAIResponse201ResponseHeaders{Location: aiResponsesPath + "/" + response.ID.String()},
	}, nil
}

// CreateAIRequest starts a summary, a triage or a suggested reply for staff.
func (s *Server) CreateAIRequest(
	ctx context.Context, r api.CreateAIRequestRequestObject,
) (api.CreateAIRequestResponseObject, error) {
	kind, model := fromCreateAIRequestRequest(*r.Body)
	response, started, err := s.Assistant.StartStaffRequest(ctx, actorFrom(ctx), r.TicketID, kind, model)
	if err != nil {
		return nil, err
	}
	if !started {
		return api.CreateAIRequest200JSONResponse{Body: toAIResponse(actorFrom(ctx))(response)}, nil
	}
	return api.CreateAIRequest201JSONResponse{
		Body:    toAIResponse(actorFrom(ctx))(response),
		Headers: api.CreateAIRequest201ResponseHeaders{Location: aiResponsesPath + "/" + response.ID.String()},
	}, nil
}

// ApplyAIResponse applies a triage to its ticket.
func (s *Server) ApplyAIResponse(
	ctx context.Context, r api.ApplyAIResponseRequestObject,
) (api.ApplyAIResponseResponseObject, error) {
	actor := actorFrom(ctx)
	t, err := s.Assistant.ApplyTriage(ctx, actor, r.AIResponseID)
	if err != nil {
		return nil, err
	}
	return api.ApplyAIResponse200JSONResponse{
		Body:    toTicket(actor)(t),
		Headers: api.ApplyAIResponse200ResponseHeaders{ETag: ticketTag(actor, t)},
	}, nil
}

// ListAIResponses returns a page of a ticket's AI responses.
func (s *Server) ListAIResponses(
	ctx context.Context, r api.ListAIResponsesRequestObject,
) (api.ListAIResponsesResponseObject, error) {
	actor, path := actorFrom(ctx), ticketsPath+"/"+r.TicketID.String()+aiResponsesPath
	page, err := s.cursors.Page(actor.ID, path, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	responses, next, err := s.Assistant.List(ctx, actor, r.TicketID, page)
	if err != nil {
		return nil, err
	}
	return api.ListAIResponses200JSONResponse{
		Body:    convertAll(responses, toAIResponse(actor)),
		Headers: api.ListAIResponses200ResponseHeaders{Link: s.cursors.Link(actor.ID, path, page, next)},
	}, nil
}

// GetAIResponse returns an AI response.
func (s *Server) GetAIResponse(
	ctx context.Context, r api.GetAIResponseRequestObject,
) (api.GetAIResponseResponseObject, error) {
	response, err := s.Assistant.Get(ctx, actorFrom(ctx), r.AIResponseID)
	if err != nil {
		return nil, err
	}
	return api.GetAIResponse200JSONResponse{Body: toAIResponse(actorFrom(ctx))(response)}, nil
}

// CancelAIResponse ends an AI response that is being written.
func (s *Server) CancelAIResponse(
	ctx context.Context, r api.CancelAIResponseRequestObject,
) (api.CancelAIResponseResponseObject, error) {
	response, err := s.Assistant.Cancel(ctx, actorFrom(ctx), r.AIResponseID)
	if err != nil {
		return nil, err
	}
	return api.CancelAIResponse202JSONResponse(toAIResponse(actorFrom(ctx))(response)), nil
}

// PublishAIResponse stores a draft as a message.
func (s *Server) PublishAIResponse(
	ctx context.Context, r api.PublishAIResponseRequestObject,
) (api.PublishAIResponseResponseObject, error) {
	actor := actorFrom(ctx)
	message, err := s.Assistant.Publish(ctx, actor, r.AIResponseID, r.Body.Content)
	if err != nil {
		return nil, err
	}
	return api.PublishAIResponse201JSONResponse{Body: toMessage(actor)(ticket.Message{Message: message})}, nil
}

// DiscardAIResponse discards a draft.
func (s *Server) DiscardAIResponse(
	ctx context.Context, r api.DiscardAIResponseRequestObject,
) (api.DiscardAIResponseResponseObject, error) {
	response, err := s.Assistant.Discard(ctx, actorFrom(ctx), r.AIResponseID)
	if err != nil {
		return nil, err
	}
	return api.DiscardAIResponse200JSONResponse{Body: toAIResponse(actorFrom(ctx))(response)}, nil
}

// ListAIResponseEvents returns the events of an AI response after a given one, and waits if there are none yet.
func (s *Server) ListAIResponseEvents(
	ctx context.Context, r api.ListAIResponseEventsRequestObject,
) (api.ListAIResponseEventsResponseObject, error) {
	leave, err := s.streams.Enter(callerFrom(ctx))
	if err != nil {
		return nil, err
	}
	defer leave()
	after, wait := fromListAIResponseEventsParams(r.AIResponseID, r.Params)
	page, err := s.Assistant.Events(ctx, actorFrom(ctx), after, wait)
	if err != nil {
		return nil, err
	}
	return api.ListAIResponseEvents200JSONResponse{Body: toAIResponseEvents(page)}, nil
}

// CreateStreamToken returns a token for a browser's EventSource.
func (s *Server) CreateStreamToken(
	ctx context.Context, r api.CreateStreamTokenRequestObject,
) (api.CreateStreamTokenResponseObject, error) {
	actor := actorFrom(ctx)
	if _, err := s.Tickets.Find(ctx, actor, r.TicketID); err != nil {
		return nil, err
	}
	path := streamPath(r.TicketID)
	token, err := s.Auth.SignStreamToken(actor, path)
	if err != nil {
		return nil, err
	}
	query := url.Values{"stream_token": {token.Token}}
	return api.CreateStreamToken201JSONResponse(toStreamToken(token, path+"?"+query.Encode())), nil
}

func streamPath(ticketID uuid.UUID) string {
	return ticketsPath + "/" + ticketID.String() + "/ai-response"
}
