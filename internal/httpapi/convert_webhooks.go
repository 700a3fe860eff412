package httpapi

import (
	"time"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/webhook"
)

// The bridge between rows and the wire, of webhooks.

func fromCreateWebhookRequest(r api.CreateWebhookRequest) webhook.NewWebhook {
	n := webhook.NewWebhook{URL: r.URL, Description: fromOptional(r.Description), Types: r.Types, Payload: sqlc.WebhookPayloadThin}
	if r.Payload != "" {
		n.Payload = sqlc.WebhookPayload(r.Payload)
	}
	return n
}

func fromUpdateWebhookRequest(r api.UpdateWebhookRequest) webhook.Change {
	c := webhook.Change{URL: fromOptional(r.URL), Description: fromOptional(r.Description), Paused: r.Paused}
	if r.Types != nil {
		c.Types = append([]string{}, *r.Types...)
	}
	if r.Payload != "" {
		c.Payload = new(sqlc.WebhookPayload(r.Payload))
	}
	return c
}

// fromOptional returns nil for an empty text.
func fromOptional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func toWebhook(w sqlc.Webhook) api.Webhook {
	hook := api.Webhook{
		ID:           w.ID,
		URL:          w.URL,
		Types:        w.Types,
		Payload:      api.WebhookPayload(w.Payload),
		Paused:       w.Paused,
		CreatedAt:    toTimestamp(w.CreatedAt),
		UpdatedAt:    toTimestamp(w.UpdatedAt),
		DisabledAt:   toOptionalTimestamp(w.DisabledAt),
		FailingSince: toOptionalTimestamp(w.FailingSince),
	}
	if w.Description != nil {
		hook.Description = *w.Description
	}
	if w.DisabledReason != nil {
		hook.DisabledReason = api.WebhookDisabledReason(*w.DisabledReason)
	}
	if w.PreviousExpiresAt != nil && w.PreviousExpiresAt.After(time.Now()) {
		hook.SecretExpiresAt = toTimestamp(*w.PreviousExpiresAt)
	}
	return hook
}

func toCreatedWebhook(w sqlc.Webhook, secret string) api.CreatedWebhook {
	shown := toWebhook(w)
	return api.CreatedWebhook{
		ID:          shown.ID,
		URL:         shown.URL,
		Description: shown.Description,
		Types:       shown.Types,
		Payload:     shown.Payload,
		Paused:      shown.Paused,
		CreatedAt:   shown.CreatedAt,
		UpdatedAt:   shown.UpdatedAt,
		Secret:      secret,
	}
}

// fromWebhookDeliveryStatus returns nil for any status.
func fromWebhookDeliveryStatus(s api.WebhookDeliveryStatus) *sqlc.WebhookDeliveryStatus {
	if s == "" {
		return nil
	}
	return new(sqlc.WebhookDeliveryStatus(s))
}

func toWebhookDelivery(d sqlc.WebhookDelivery) api.WebhookDelivery {
	delivery := api.WebhookDelivery{
		ID:            d.ID,
		WebhookID:     d.WebhookID,
		Type:          d.Type,
		Status:        api.WebhookDeliveryStatus(d.Status),
		AttemptCount:  d.AttemptCount,
		CreatedAt:     toTimestamp(d.CreatedAt),
		NextAttemptAt: toOptionalTimestamp(d.NextAttemptAt),
		FinishedAt:    toOptionalTimestamp(d.FinishedAt),
	}
	if d.Position != nil {
		delivery.Position = *d.Position
	}
	return delivery
}

func toWebhookDeliveryWithAttempts(
	d sqlc.WebhookDelivery, attempts []sqlc.WebhookAttempt,
) api.WebhookDeliveryWithAttempts {
	shown := toWebhookDelivery(d)
	return api.WebhookDeliveryWithAttempts{
		ID:            shown.ID,
		WebhookID:     shown.WebhookID,
		Type:          shown.Type,
		Position:      shown.Position,
		Status:        shown.Status,
		AttemptCount:  shown.AttemptCount,
		CreatedAt:     shown.CreatedAt,
		NextAttemptAt: shown.NextAttemptAt,
		FinishedAt:    shown.FinishedAt,
		Attempts:      convertAll(attempts, toWebhookAttempt),
	}
}

func toWebhookAttempt(a sqlc.WebhookAttempt) api.WebhookAttempt {
	attempt := api.WebhookAttempt{Number: a.Number, StartedAt: toTimestamp(a.StartedAt), DurationMs: a.DurationMs}
	if a.Status != nil {
		attempt.Status = *a.Status
	}
	if a.Error != nil {
		attempt.Error = api.WebhookAttemptError(*a.Error)
	}
	if a.Response != nil {
		attempt.Response = *a.Response
	}
	return attempt
}
