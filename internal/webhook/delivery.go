package webhook

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

// testType is the type of test deliveries.
const testType = "webhook.test"

// Test sends a test delivery. It returns NotFound.
func (s *Service) Test(ctx context.Context, id uuid.UUID) (sqlc.WebhookDelivery, error) {
	return s.deliver(ctx, func(ctx context.Context) (sqlc.WebhookDelivery, error) {
		return s.store.CreateTestDelivery(ctx, sqlc.CreateTestDeliveryParams{ID: uuid7.New(), WebhookID: id, Type: testType})
	})
}

// Redeliver makes a delivery due again, with as many attempts as a new one. It returns NotFound.
func (s *Service) Redeliver(ctx context.Context, id uuid.UUID) (sqlc.WebhookDelivery, error) {
	return s.deliver(ctx, func(ctx context.Context) (sqlc.WebhookDelivery, error) { return s.store.RedeliverWebhook(ctx, id) })
}

// deliver makes a delivery due, together with the job that sends it.
func (s *Service) deliver(
	ctx context.Context, write func(ctx context.Context) (sqlc.WebhookDelivery, error),
) (d sqlc.WebhookDelivery, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		if d, err = write(ctx); err != nil {
			return store.NotFound(err)
		}
		return s.enqueue(ctx, d.WebhookID)
	})
	return d, err
}

// Replay delivers the entries from a position up to the newest one, whether they were delivered before or not, and returns both
// positions. It begins at the oldest entry that is kept if that is later. It returns NotFound.
func (s *Service) Replay(ctx context.Context, id uuid.UUID, position int64) (from, until int64, err error) {
	state, err := s.journal.State(ctx)
	if err != nil {
		return 0, 0, err
	}
	from = max(position, state.Oldest)
	until, err = s.store.StartWebhookReplay(ctx, sqlc.StartWebhookReplayParams{ID: id, Position: &from})
	return from, until, store.NotFound(err)
}

// ListDeliveries returns a page of a webhook's deliveries, newest first, and where the next page begins, if there is one. It
// returns NotFound.
func (s *Service) ListDeliveries(
	ctx context.Context, id uuid.UUID, status *sqlc.WebhookDeliveryStatus, p page.Page,
) ([]sqlc.WebhookDelivery, *page.Position, error) {
	if _, err := s.Get(ctx, id); err != nil {
		return nil, nil, err
	}
	return page.Read(p, func(before page.Position, limit int32) ([]sqlc.WebhookDelivery, error) {
		return s.store.ListWebhookDeliveries(ctx, sqlc.ListWebhookDeliveriesParams{
			WebhookID: id, Status: status, BeforeCreatedAt: before.CreatedAt, BeforeID: before.ID, MaxRows: limit,
		})
	}, func(d sqlc.WebhookDelivery) page.Position { return page.At(d.CreatedAt, d.ID) })
}

// GetDelivery returns a delivery with its latest attempts, oldest first. It returns NotFound.
func (s *Service) GetDelivery(ctx context.Context, id uuid.UUID) (sqlc.WebhookDelivery, []sqlc.WebhookAttempt, error) {
	d, err := s.store.GetWebhookDelivery(ctx, id)
	if err != nil {
		return d, nil, store.NotFound(err)
	}
	attempts, err := s.store.ListWebhookAttempts(ctx, sqlc.ListWebhookAttemptsParams{
		DeliveryID: id, MaxRows: maxAttemptsShown,
	})
	slices.Reverse(attempts)
	return d, attempts, err
}

func isNoRow(err error) bool { return errors.Is(err, store.ErrNoRows) }
