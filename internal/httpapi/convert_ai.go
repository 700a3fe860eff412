package httpapi

import (
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/assistant"
	"github.com/supportbackend/support/internal/assistant/eventlog"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/ticket"
)

// The bridge between rows and the wire, of the AI's answers.

// toAIResponse converts AI responses for the actor.
func toAIResponse(actor auth.Actor) func(sqlc.AIResponse) api.AIResponse {
	return func(r sqlc.AIResponse) api.AIResponse {
		response := toCustomersAIResponse(r)
		if actor.IsStaff() {
			response.PromptVersion, response.Triage = r.PromptVersion, toTriage(assistant.TriageOf(r))
		}
		return response
	}
}

func toTriage(t *assistant.Triage) *api.Triage {
	if t == nil {
		return nil
	}
	return &api.Triage{
		Priority:  api.TicketPriority(t.Priority),
		Tags:      t.Tags,
		Language:  t.Language,
		Sentiment: api.Sentiment(t.Sentiment),
		HandOff:   t.HandOff,
		Reason:    t.Reason,
	}
}

// toCustomersAIResponse leaves out staff-only members.
func toCustomersAIResponse(r sqlc.AIResponse) api.AIResponse {
	response := api.AIResponse{
		ID:           r.ID,
		TicketID:     r.TicketID,
		Kind:         api.AIResponseKind(r.Kind),
		Turn:         r.TurnMessageID,
		Status:       api.AIResponseStatus(r.Status),
		Attempt:      r.Attempt,
		Model:        r.Model,
		MessageID:    r.MessageID,
		Usage:        toUsage(r),
		CreatedAt:    toTimestamp(r.CreatedAt),
		FinishReason: api.FinishReason(valueOf(r.FinishReason)),
		FirstTokenAt: toOptionalTimestamp(r.FirstTokenAt),
		FinishedAt:   toOptionalTimestamp(r.FinishedAt),
	}
	if r.ErrorCode != nil {
		response.Error = &api.AIResponseError{
			Code:      api.AIFailureCode(*r.ErrorCode),
			Retryable: kindOf(apperr.Code(*r.ErrorCode)).retryable,
		}
	}
	if r.CustomerID == nil {
		addReview(&response, r)
	}
	return response
}

// addReview adds the members of drafts and of requests by staff.
func addReview(shown *api.AIResponse, r sqlc.AIResponse) {
	shown.Content = valueOf(r.Content)
	if r.Review == nil {
		return
	}
	shown.IsDraft, shown.Review = true, api.AIReview(*r.Review)
	shown.EditDistance, shown.ReviewedBy, shown.ReviewedAt = r.EditDistance, r.ReviewedBy, toOptionalTimestamp(r.ReviewedAt)
}

// toUnanswered tells why the AI does not answer the customer.
func toUnanswered(why *apperr.Error) *api.Unanswered {
	return &api.Unanswered{Code: api.ProblemCode(why.Code), Detail: detailOf(why), Retryable: kindOf(why.Code).retryable}
}

// toCreatedMessage converts a message and, if an answer was requested, the state of the answer.
func toCreatedMessage(actor auth.Actor, m ticket.Message, outcome *assistant.Outcome) api.CreatedMessage {
	shown := toMessage(actor)(m)
	created := api.CreatedMessage{
		ID:           shown.ID,
		TicketID:     shown.TicketID,
		Content:      shown.Content,
		IsAI:         shown.IsAI,
		Author:       shown.Author,
		IsNote:       shown.IsNote,
		CreatedAt:    shown.CreatedAt,
		SupersededBy: shown.SupersededBy,
		RedactedAt:   shown.RedactedAt,
	}
	switch {
	case outcome == nil:
	case outcome.Refused != nil:
		created.Unanswered = toUnanswered(outcome.Refused)
	default:
		created.AIResponseURL = streamPath(m.TicketID)
		if outcome.ID != uuid.Nil {
			created.AIResponseID = &outcome.ID
		}
	}
	return created
}

func toReadyEvent(e eventlog.Ready) api.ReadyEvent {
	return api.ReadyEvent{
		Type:         api.ReadyEventTypeReady,
		AIResponseID: e.Response.ID,
		Content:      valueOf(e.Response.Content),
		FinishReason: api.FinishReason(valueOf(e.Response.FinishReason)),
		Usage:        toUsage(e.Response),
	}
}

func toOptionalTimestamp(t *time.Time) api.Timestamp {
	if t == nil {
		return ""
	}
	return toTimestamp(*t)
}

func toUsage(r sqlc.AIResponse) api.Usage {
	return api.Usage{
		PromptTokens:     r.PromptTokens,
		CompletionTokens: r.CompletionTokens,
		ReasoningTokens:  r.ReasoningTokens,
		CachedTokens:     r.CachedTokens,
	}
}

func toStreamToken(t auth.StreamToken, url string) api.StreamToken {
	return api.StreamToken{Token: t.Token, URL: url, ExpiresAt: toTimestamp(t.ExpiresAt)}
}

func toAIResponseEvents(page assistant.EventPage) api.AIResponseEvents {
	return api.AIResponseEvents{
		AIResponseID: page.Last.ResponseID,
		Events:       convertAll(page.Events, toNumberedEvent),
		LastSeq:      page.Last.Seq,
		Attempt:      page.Last.Attempt,
		Ended:        page.Ended,
	}
}

func fromListAIResponseEventsParams(
	id uuid.UUID, p api.ListAIResponseEventsParams,
) (after eventlog.EventID, wait time.Duration) {
	after = eventlog.EventID{ResponseID: id, Seq: valueOf(p.After), Attempt: valueOf(p.Attempt)}
	return after, time.Duration(valueOf(p.Wait)) * time.Second
}

func toNumberedEvent(e eventlog.Event) api.NumberedEvent {
	numbered := api.NumberedEvent{Seq: eventlog.IDOf(e).Seq}
	// Encoding cannot fail: every field of the events has a JSON form.
	switch e := e.(type) {
	case eventlog.Delta:
		_ = numbered.Event.FromDeltaEvent(toDeltaEvent(e))
	case eventlog.Reset:
		_ = numbered.Event.FromResetEvent(toResetEvent(e))
	case eventlog.Done:
		_ = numbered.Event.FromDoneEvent(toDoneEvent(e))
	case eventlog.Ready:
		_ = numbered.Event.FromReadyEvent(toReadyEvent(e))
	case eventlog.Failed:
		_ = numbered.Event.FromFailedEvent(toFailedEvent(e))
	}
	return numbered
}

func fromCreateAIResponseRequest(r api.CreateAIResponseRequest) assistant.Request {
	return assistant.Request{Regenerate: r.Regenerate, Model: r.Model}
}

func fromCreateAIRequestRequest(r api.CreateAIRequestRequest) (kind sqlc.AIResponseKind, model string) {
	return sqlc.AIResponseKind(r.Kind), r.Model
}

func toStartEvent(e eventlog.Start) api.StartEvent {
	return api.StartEvent{
		Type:         api.StartEventTypeStart,
		AIResponseID: e.Response.ID,
		TicketID:     e.Response.TicketID,
		Model:        e.Response.Model,
		Attempt:      e.Response.Attempt,
	}
}

func toDeltaEvent(e eventlog.Delta) api.DeltaEvent {
	return api.DeltaEvent{Type: api.DeltaEventTypeDelta, Content: e.Content}
}

func toResetEvent(e eventlog.Reset) api.ResetEvent {
	return api.ResetEvent{Type: api.ResetEventTypeReset, Attempt: e.Attempt}
}

func toDoneEvent(e eventlog.Done) api.DoneEvent {
	return api.DoneEvent{
		Type:         api.DoneEventTypeDone,
		AIResponseID: e.Response.ID,
		Message:      toMessage(auth.Actor{})(ticket.Message{Message: e.Message}), // The AI has no account.
		FinishReason: api.FinishReason(valueOf(e.Response.FinishReason)),
		Usage:        toUsage(e.Response),
	}
}

func toFailedEvent(e eventlog.Failed) api.FailedEvent {
	return api.FailedEvent{
		Type:         api.FailedEventTypeFailed,
		AIResponseID: e.ID.ResponseID,
		Code:         api.AIFailureCode(e.Err.Code),
		Detail:       detailOf(e.Err),
		Retryable:    kindOf(e.Err.Code).retryable,
	}
}
