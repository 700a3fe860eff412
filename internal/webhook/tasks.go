package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/background"
)

const (
	// retention is how long a finished delivery is kept, and maxSwept how many are deleted in one statement.
	retention     = 14 * 24 * time.Hour
	sweepInterval = 10 * time.Minute
	maxSwept      = 500

	sealInterval = time.Minute
	maxSealed    = 100
)

func (s *Service) tasks() []background.Task {
	return []background.Task{
		{Name: "delete_old_webhook_deliveries", Every: sweepInterval, Do: s.Sweep},
		{Name: "seal_webhook_secrets", Every: sealInterval, Do: s.Reseal},
	}
}

// Sweep deletes old deliveries, and deleted webhooks with all of theirs, in batches.
func (s *Service) Sweep(ctx context.Context) error {
	old := background.Batches(ctx, maxSwept, func(ctx context.Context, limit, skip int32) (int64, error) {
		return s.store.DeleteOldWebhookDeliveries(ctx, sqlc.DeleteOldWebhookDeliveriesParams{
			KeptSeconds: int32(retention.Seconds()), MaxRows: limit, SkipRows: skip,
		})
	})
	deleted := background.Batches(ctx, maxSwept, func(ctx context.Context, limit, skip int32) (int64, error) {
		return s.store.DeleteDeliveriesOfDeletedWebhooks(ctx, sqlc.DeleteDeliveriesOfDeletedWebhooksParams{
			MaxRows: limit, SkipRows: skip,
		})
	})
	return errors.Join(old, deleted, s.store.DeleteDeletedWebhooks(ctx))
}

// Reseal seals secrets with the first key that other keys have sealed, so that those keys can be removed.
func (s *Service) Reseal(ctx context.Context) error {
	for after := uuid.Nil; ; {
		rows, err := s.store.ListWebhookSecrets(ctx, sqlc.ListWebhookSecretsParams{AfterID: after, MaxRows: maxSealed})
		if err != nil {
			return err
		}
		for _, row := range rows {
			after = row.ID
			secret, changed := s.seals.renew(row.ID, row.Secret)
			previous, previousChanged := s.seals.renew(row.ID, row.PreviousSecret)
			if !changed && !previousChanged {
				continue
			}
			if err := s.store.UpdateWebhookSecrets(ctx, sqlc.UpdateWebhookSecretsParams{
				ID: row.ID, Secret: secret, PreviousSecret: previous, OldSecret: row.Secret, OldPreviousSecret: row.PreviousSecret,
			}); err != nil {
				return err
			}
		}
		if len(rows) < maxSealed {
			return nil
		}
	}
}
