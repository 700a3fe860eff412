package httpapi

import (
	"cmp"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/httpapi/uistream"
)

// The bridge between rows and the wire, for chat clients.

var chatConvert = uistream.Convert{Problem: toUIData, Metadata: toAnswerMetadata}

func fromUIChatRequest(r api.UIChatRequest) chatRequest {
	return chatRequest{
		ticketID: r.ID, messages: r.Messages, regenerate: r.Trigger == api.UIChatRequestTriggerRegenerateMessage,
	}
}

func fromAGUIRunRequest(r api.AGUIRunRequest) chatRequest {
	return chatRequest{ticketID: r.ThreadID, messages: r.Messages}
}

// toUIData converts a problem.
func toUIData(err *apperr.Error) api.UIData {
	return api.UIData{Code: api.ProblemCode(err.Code), Detail: detailOf(err), Retryable: kindOf(err.Code).retryable}
}

func toUIMetadata(m sqlc.Message) api.UIMessageMetadata {
	return api.UIMessageMetadata{Author: api.MessageAuthorKind(m.Author), CreatedAt: toTimestamp(m.CreatedAt)}
}

func toAnswerMetadata(e eventlog.Done) api.UIMessageMetadata {
	metadata := toUIMetadata(e.Message)
	metadata.FinishReason = api.FinishReason(valueOf(e.Response.FinishReason))
	return metadata
}

func toUIMessage(m sqlc.Message) api.UIMessage {
	role := api.UIMessageRoleAssistant
	if m.Author == sqlc.MessageAuthorCustomer {
		role = api.UIMessageRoleUser
	}
	return api.UIMessage{
		ID: toClientID(m), Role: role, Metadata: toUIMetadata(m),
		Parts: []api.UITextPart{{Type: api.UITextPartTypeText, Text: m.Content}},
	}
}

func toAGUIMessage(m sqlc.Message) api.AGUIMessage {
	role := api.AGUIMessageRoleAssistant
	if m.Author == sqlc.MessageAuthorCustomer {
		role = api.AGUIMessageRoleUser
	}
	return api.AGUIMessage{ID: toClientID(m), Role: role, Content: m.Content}
}

// toClientID returns the id of a message for chat clients: the id that its sender gave it, if any.
func toClientID(m sqlc.Message) string {
	return cmp.Or(valueOf(m.ClientID), m.ID.String())
}
