package httpapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/ticket"
)

func messagesPath(ticketID uuid.UUID) string {
	return ticketsPath + "/" + ticketID.String() + "/messages"
}

// CreateMessage adds a message by the caller.
func (s *Server) CreateMessage(
	ctx context.Context, r api.CreateMessageRequestObject,
) (api.CreateMessageResponseObject, error) {
	actor := actorFrom(ctx)
	message, isNew, outcome, err := s.addMessage(ctx, actor, r)
	if err != nil {
		return nil, err
	}
	if !isNew {
		return api.CreateMessage200JSONResponse{Body: toCreatedMessage(actor, message, outcome)}, nil
	}
	return api.CreateMessage201JSONResponse{Body: toCreatedMessage(actor, message, outcome)}, nil
}

// addMessage adds a message, and starts the answer to it if the request asks for one; otherwise outcome is nil.
func (s *Server) addMessage(
	ctx context.Context, actor auth.Actor, r api.CreateMessageRequestObject,
) (message ticket.Message, isNew bool, outcome *assistant.Outcome, err error) {
	add := func(ctx context.Context) (err error) {
		message, isNew, err = s.Tickets.Add(ctx, actor, r.TicketID, fromCreateMessageRequest(r))
		return err
	}
	if !r.Body.Respond {
		err = add(ctx)
		return message, isNew, nil, err
	}
	result, err := s.Assistant.Respond(ctx, actor, r.TicketID, add)
	return message, isNew, &result, err
}

// ListMessages returns a page of a ticket's messages.
func (s *Server) ListMessages(
	ctx context.Context, r api.ListMessagesRequestObject,
) (api.ListMessagesResponseObject, error) {
	actor, list := actorFrom(ctx), messagesPath(r.TicketID)
	newestFirst := r.Params.Sort == api.ListMessagesParamsSortNewest
	if newestFirst {
		list += "?sort=newest"
	}
	page, err := s.cursors.Page(actor.ID, list, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	messages, next, err := s.Tickets.ListMessages(ctx, actor, r.TicketID, newestFirst, page)
	if err != nil {
		return nil, err
	}
	return api.ListMessages200JSONResponse{
		Body:    convertAll(messages, toMessage(actor)),
		Headers: api.ListMessages200ResponseHeaders{Link: s.cursors.Link(actor.ID, list, page, next)},
	}, nil
}

// CreateNote adds a note by the caller.
func (s *Server) CreateNote(ctx context.Context, r api.CreateNoteRequestObject) (api.CreateNoteResponseObject, error) {
	actor := actorFrom(ctx)
	note, err := s.Tickets.AddNote(ctx, actor, r.TicketID, r.Body.Content)
	if err != nil {
		return nil, err
	}
	return api.CreateNote201JSONResponse{Body: toMessage(actor)(note)}, nil
}

// RedactMessage removes a message's text.
func (s *Server) RedactMessage(
	ctx context.Context, r api.RedactMessageRequestObject,
) (api.RedactMessageResponseObject, error) {
	actor := actorFrom(ctx)
	message, err := s.Tickets.Redact(ctx, actor, r.MessageID)
	if err != nil {
		return nil, err
	}
	return api.RedactMessage200JSONResponse(toMessage(actor)(message)), nil
}

// PutMessageFeedback rates an answer.
func (s *Server) PutMessageFeedback(
	ctx context.Context, r api.PutMessageFeedbackRequestObject,
) (api.PutMessageFeedbackResponseObject, error) {
	rating, comment := fromPutMessageFeedbackRequest(*r.Body)
	feedback, err := s.Tickets.Rate(ctx, actorFrom(ctx), r.MessageID, rating, comment)
	if err != nil {
		return nil, err
	}
	return api.PutMessageFeedback200JSONResponse(toMessageFeedback(feedback)), nil
}

// GetMessageFeedback returns the rating of an answer.
func (s *Server) GetMessageFeedback(
	ctx context.Context, r api.GetMessageFeedbackRequestObject,
) (api.GetMessageFeedbackResponseObject, error) {
	feedback, err := s.Tickets.Feedback(ctx, actorFrom(ctx), r.MessageID)
	if err != nil {
		return nil, err
	}
	return api.GetMessageFeedback200JSONResponse{Body: toMessageFeedback(feedback)}, nil
}
