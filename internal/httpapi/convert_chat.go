package httpapi

import (
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

// toUIData converts a problem. Without a detail, it uses the title.
func toUIData(err *apperr.Error) api.UIData {
	kind := problems[err.Code]
	data := api.UIData{Code: api.ProblemCode(err.Code), Detail: err.Detail, Retryable: kind.retryable}
	if data.Detail == "" {
		data.Detail = kind.title
	}
	return data
}

func toUIMetadata(m sqlc.Message) api.UIMessageMetadata {
	return api.UIMessageMetadata{Author: api.MessageAuthorKind(m.Author), CreatedAt: toTimestamp(m.CreatedAt)}
}

func toAnswerMetadata(e eventlog.Done) api.UIMessageMetadata {
	metadata := toUIMetadata(e.Message)
	if e.Response.FinishReason != nil {
		metadata.FinishReason = api.FinishReason(*e.Response.FinishReason)
	}
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
	if m.ClientID != nil {
		return *m.ClientID
	}
	return m.ID.String()
}
