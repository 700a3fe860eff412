package httpapi

import (
	"cmp"
	"time"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/webhook"
)

// The bridge between rows and the wire, of webhooks.

func fromCreateWebhookRequest(r api.CreateWebhookRequest) webhook.NewWebhook {
	return webhook.NewWebhook{
		URL: r.URL, Description: orNil(r.Description), Types: r.Types,
		Payload: cmp.Or(sqlc.WebhookPayload(r.Payload), sqlc.WebhookPayloadThin),
	}
}

func fromUpdateWebhookRequest(r api.UpdateWebhookRequest) webhook.Change {
	c := webhook.Change{
		URL: orNil(r.URL), Description: orNil(r.Description), Payload: orNil(sqlc.WebhookPayload(r.Payload)), Paused: r.Paused,
	}
	if r.Types != nil {
		c.Types = append([]string{}, *r.Types...)
	}
	return c
}

func toWebhook(w sqlc.Webhook) api.Webhook {
	hook := api.Webhook{
		ID:             w.ID,
		URL:            w.URL,
		Description:    valueOf(w.Description),
		Types:          w.Types,
		Payload:        api.WebhookPayload(w.Payload),
		Paused:         w.Paused,
		CreatedAt:      toTimestamp(w.CreatedAt),
		UpdatedAt:      toTimestamp(w.UpdatedAt),
		DisabledAt:     toOptionalTimestamp(w.DisabledAt),
		DisabledReason: api.WebhookDisabledReason(valueOf(w.DisabledReason)),
		FailingSince:   toOptionalTimestamp(w.FailingSince),
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
	return orNil(sqlc.WebhookDeliveryStatus(s))
}

func toWebhookDelivery(d sqlc.WebhookDelivery) api.WebhookDelivery {
	return api.WebhookDelivery{
		ID:            d.ID,
		WebhookID:     d.WebhookID,
		Type:          d.Type,
		Position:      valueOf(d.Position),
		Status:        api.WebhookDeliveryStatus(d.Status),
		AttemptCount:  d.AttemptCount,
		CreatedAt:     toTimestamp(d.CreatedAt),
		NextAttemptAt: toOptionalTimestamp(d.NextAttemptAt),
		FinishedAt:    toOptionalTimestamp(d.FinishedAt),
	}
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
	return api.WebhookAttempt{
		Number: a.Number, StartedAt: toTimestamp(a.StartedAt), DurationMs: a.DurationMs, Status: valueOf(a.Status),
		Error: api.WebhookAttemptError(valueOf(a.Error)), Response: valueOf(a.Response),
	}
}
