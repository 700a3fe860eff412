package httpapi

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/httpapi/uistream"
)

// SendUIMessage stores the customer's message and streams the answer to the AI SDK.
func (s *Server) SendUIMessage(
	ctx context.Context, r api.SendUIMessageRequestObject,
) (api.SendUIMessageResponseObject, error) {
	stream, err := s.chat(ctx, fromUIChatRequest(*r.Body), uistream.NewChat(uistream.V5, chatConvert))
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// SendUIMessageV7 does what SendUIMessage does, for version 7 of the AI SDK.
func (s *Server) SendUIMessageV7(
	ctx context.Context, r api.SendUIMessageV7RequestObject,
) (api.SendUIMessageV7ResponseObject, error) {
	stream, err := s.chat(ctx, fromUIChatRequest(*r.Body), uistream.NewChat(uistream.V7, chatConvert))
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// RunAGUI stores the customer's message and streams the answer to AG-UI.
func (s *Server) RunAGUI(ctx context.Context, r api.RunAGUIRequestObject) (api.RunAGUIResponseObject, error) {
	run := uistream.NewRun(r.Body.ThreadID, r.Body.RunID, func() ([]api.AGUIMessage, error) {
		messages, err := s.Tickets.Conversation(ctx, actorFrom(ctx), r.Body.ThreadID)
		return convertAll(messages, toAGUIMessage), err
	}, chatConvert)
	stream, err := s.chat(ctx, fromAGUIRunRequest(*r.Body), run)
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// ResumeUIStream streams the answer that is being written in a ticket to the AI SDK.
func (s *Server) ResumeUIStream(
	ctx context.Context, r api.ResumeUIStreamRequestObject,
) (api.ResumeUIStreamResponseObject, error) {
	stream, err := s.resumeChat(ctx, uistream.V5, r.TicketID)
	if errors.Is(err, eventlog.ErrUpToDate) {
		return api.ResumeUIStream204Response{}, nil
	}
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// ResumeUIStreamV7 does what ResumeUIStream does, for version 7 of the AI SDK.
func (s *Server) ResumeUIStreamV7(
	ctx context.Context, r api.ResumeUIStreamV7RequestObject,
) (api.ResumeUIStreamV7ResponseObject, error) {
	stream, err := s.resumeChat(ctx, uistream.V7, r.TicketID)
	if errors.Is(err, eventlog.ErrUpToDate) {
		return api.ResumeUIStreamV7204Response{}, nil
	}
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// ListUIMessages returns a ticket's conversation in the form of the AI SDK.
func (s *Server) ListUIMessages(
	ctx context.Context, r api.ListUIMessagesRequestObject,
) (api.ListUIMessagesResponseObject, error) {
	messages, err := s.Tickets.Conversation(ctx, actorFrom(ctx), r.TicketID)
	if err != nil {
		return nil, err
	}
	return api.ListUIMessages200JSONResponse{Body: convertAll(messages, toUIMessage)}, nil
}

// StopUIStream ends the answer that is being written in a ticket.
func (s *Server) StopUIStream(
	ctx context.Context, r api.StopUIStreamRequestObject,
) (api.StopUIStreamResponseObject, error) {
	if err := s.Assistant.CancelRunning(ctx, actorFrom(ctx), r.TicketID); err != nil {
		return nil, err
	}
	return api.StopUIStream204Response{}, nil
}

// chatRequest is a chat client's request.
type chatRequest struct {
	ticketID uuid.UUID
	// regenerate asks for another answer to the newest turn.
	regenerate bool
	messages   []api.ClientMessage
}

// chat stores the customer's message once and streams the answer to it. If a human has to answer, the stream ends
// without an answer.
func (s *Server) chat(ctx context.Context, r chatRequest, encoder uistream.Encoder) (*aiResponseStream, error) {
	message, stores := uistream.Last(r.messages)
	stores = stores && !r.regenerate
	if stores {
		if err := s.storeMessage(ctx, r.ticketID, message, len(r.messages)-1); err != nil {
			return nil, err
		}
	}
	stream, err := s.stream(ctx, encoder, func() (*assistant.Reader, error) {
		switch {
		case r.regenerate:
			return s.Assistant.Regenerate(ctx, actorFrom(ctx), r.ticketID)
		case stores:
			return s.Assistant.OpenAfterMessage(ctx, actorFrom(ctx), r.ticketID)
		}
		return s.Assistant.Open(ctx, actorFrom(ctx), r.ticketID, eventlog.EventID{})
	})
	if stores && slices.Contains(humansAnswer, apperr.From(err).Code) {
		return &aiResponseStream{ctx: ctx, encoder: encoder, unanswered: apperr.From(err), leave: func() {}}, nil
	}
	return stream, err
}

// humansAnswer are the codes that leave the customer's message to humans.
var humansAnswer = []apperr.Code{apperr.AIDisabled, apperr.AIInReview, apperr.HandedOff, apperr.NothingToAnswer}

// storeMessage stores the customer's message, which has this index in the request, by the rules of a new message.
func (s *Server) storeMessage(ctx context.Context, ticketID uuid.UUID, message uistream.Message, index int) error {
	at := "/messages/" + strconv.Itoa(index)
	var faults []apperr.Field
	if message.ID == "" {
		faults = append(faults, apperr.Field{Pointer: at + "/id", Code: apperr.InvalidFormat})
	}
	text, fault := s.gate.newMessage.TakeMember("content", message.Text)
	if fault != "" {
		faults = append(faults, apperr.Field{Pointer: at, Code: fault})
	}
	if len(faults) > 0 {
		return apperr.Invalid(faults...)
	}
	return s.Tickets.AddClientMessage(ctx, actorFrom(ctx), ticketID, message.ID, text)
}

func (s *Server) resumeChat(ctx context.Context, version uistream.Version, ticketID uuid.UUID) (*aiResponseStream, error) {
	return s.stream(ctx, uistream.NewChat(version, chatConvert), func() (*assistant.Reader, error) {
		return s.Assistant.OpenRunning(ctx, actorFrom(ctx), ticketID)
	})
}
