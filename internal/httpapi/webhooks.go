package httpapi

import (
	"context"

	"github.com/supportbackend/support/gen/api"
)

const webhooksPath = "/webhooks"

// CreateWebhook creates a webhook.
func (s *Server) CreateWebhook(ctx context.Context, r api.CreateWebhookRequestObject) (api.CreateWebhookResponseObject, error) {
	hook, secret, err := s.Webhooks.Create(ctx, fromCreateWebhookRequest(*r.Body))
	if err != nil {
		return nil, err
	}
	return api.CreateWebhook201JSONResponse(toCreatedWebhook(hook, secret)), nil
}

// ListWebhooks returns a page of webhooks.
func (s *Server) ListWebhooks(ctx context.Context, r api.ListWebhooksRequestObject) (api.ListWebhooksResponseObject, error) {
	actor := actorFrom(ctx)
	page, err := s.cursors.Page(actor.ID, webhooksPath, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	hooks, next, err := s.Webhooks.List(ctx, page)
	if err != nil {
		return nil, err
	}
	return api.ListWebhooks200JSONResponse{
		Body:    convertAll(hooks, toWebhook),
		Headers: api.ListWebhooks200ResponseHeaders{Link: s.cursors.Link(actor.ID, webhooksPath, page, next)},
	}, nil
}

// GetWebhook returns a webhook.
func (s *Server) GetWebhook(ctx context.Context, r api.GetWebhookRequestObject) (api.GetWebhookResponseObject, error) {
	hook, err := s.Webhooks.Get(ctx, r.WebhookID)
	if err != nil {
		return nil, err
	}
	return api.GetWebhook200JSONResponse{Body: toWebhook(hook)}, nil
}

// UpdateWebhook changes a webhook.
func (s *Server) UpdateWebhook(ctx context.Context, r api.UpdateWebhookRequestObject) (api.UpdateWebhookResponseObject, error) {
	hook, err := s.Webhooks.Update(ctx, r.WebhookID, fromUpdateWebhookRequest(*r.Body))
	if err != nil {
		return nil, err
	}
	return api.UpdateWebhook200JSONResponse(toWebhook(hook)), nil
}

// DeleteWebhook deletes a webhook.
func (s *Server) DeleteWebhook(ctx context.Context, r api.DeleteWebhookRequestObject) (api.DeleteWebhookResponseObject, error) {
	if err := s.Webhooks.Delete(ctx, r.WebhookID); err != nil {
		return nil, err
	}
	return api.DeleteWebhook204Response{}, nil
}

// RotateWebhookSecret replaces a webhook's secret.
func (s *Server) RotateWebhookSecret(
	ctx context.Context, r api.RotateWebhookSecretRequestObject,
) (api.RotateWebhookSecretResponseObject, error) {
	secret, until, err := s.Webhooks.RotateSecret(ctx, r.WebhookID)
	if err != nil {
		return nil, err
	}
	return api.RotateWebhookSecret200JSONResponse{Secret: secret, PreviousExpiresAt: toTimestamp(until)}, nil
}

// TestWebhook sends a test delivery.
func (s *Server) TestWebhook(ctx context.Context, r api.TestWebhookRequestObject) (api.TestWebhookResponseObject, error) {
	delivery, err := s.Webhooks.Test(ctx, r.WebhookID)
	if err != nil {
		return nil, err
	}
	return api.TestWebhook202JSONResponse{Body: toWebhookDelivery(delivery)}, nil
}

// ReplayWebhook delivers the events since a position again.
func (s *Server) ReplayWebhook(ctx context.Context, r api.ReplayWebhookRequestObject) (api.ReplayWebhookResponseObject, error) {
	from, until, err := s.Webhooks.Replay(ctx, r.WebhookID, r.Body.FromPosition)
	if err != nil {
		return nil, err
	}
	return api.ReplayWebhook202JSONResponse{Body: api.WebhookReplay{FromPosition: from, UntilPosition: until}}, nil
}

// ListWebhookDeliveries returns a page of a webhook's deliveries.
func (s *Server) ListWebhookDeliveries(
	ctx context.Context, r api.ListWebhookDeliveriesRequestObject,
) (api.ListWebhookDeliveriesResponseObject, error) {
	actor, list := actorFrom(ctx), deliveriesPath(r)
	page, err := s.cursors.Page(actor.ID, list, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	deliveries, next, err := s.Webhooks.ListDeliveries(ctx, r.WebhookID, fromWebhookDeliveryStatus(r.Params.Status), page)
	if err != nil {
		return nil, err
	}
	return api.ListWebhookDeliveries200JSONResponse{
		Body:    convertAll(deliveries, toWebhookDelivery),
		Headers: api.ListWebhookDeliveries200ResponseHeaders{Link: s.cursors.Link(actor.ID, list, page, next)},
	}, nil
}

// deliveriesPath is the list's path with its filter, which binds cursors to the filter.
func deliveriesPath(r api.ListWebhookDeliveriesRequestObject) string {
	path := webhooksPath + "/" + r.WebhookID.String() + "/deliveries"
	if r.Params.Status != "" {
		path += "?status=" + string(r.Params.Status)
	}
	return path
}

// GetWebhookDelivery returns a delivery with its attempts.
func (s *Server) GetWebhookDelivery(
	ctx context.Context, r api.GetWebhookDeliveryRequestObject,
) (api.GetWebhookDeliveryResponseObject, error) {
	delivery, attempts, err := s.Webhooks.GetDelivery(ctx, r.WebhookDeliveryID)
	if err != nil {
		return nil, err
	}
	return api.GetWebhookDelivery200JSONResponse{Body: toWebhookDeliveryWithAttempts(delivery, attempts)}, nil
}

// RedeliverWebhook sends a delivery again.
func (s *Server) RedeliverWebhook(
	ctx context.Context, r api.RedeliverWebhookRequestObject,
) (api.RedeliverWebhookResponseObject, error) {
	delivery, err := s.Webhooks.Redeliver(ctx, r.WebhookDeliveryID)
	if err != nil {
		return nil, err
	}
	return api.RedeliverWebhook202JSONResponse{Body: toWebhookDelivery(delivery)}, nil
}
