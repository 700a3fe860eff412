package webhook

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/background"
	"github.com/supportbackend/support/internal/store"
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

// Reseal seals secrets with the first key that other keys have sealed, so that those keys can be removed. It names the
// webhooks in the log whose secrets no key opens, each once.
func (s *Service) Reseal(ctx context.Context) error {
	return eachSecret(ctx, s.store, func(row sqlc.ListWebhookSecretsRow) error {
		secret, changed, err := s.seals.renew(row.ID, row.Secret)
		if err == nil {
			s.unreadable.Delete(row.ID)
		} else if _, known := s.unreadable.LoadOrStore(row.ID, true); !known {
			s.logger.ErrorContext(ctx, "webhook cannot be signed", slog.Any("webhook_id", row.ID), slog.Any("error", err))
		}
		previous, previousChanged, _ := s.seals.renew(row.ID, row.PreviousSecret)
		if !changed && !previousChanged {
			return nil
		}
		return s.store.UpdateWebhookSecrets(ctx, sqlc.UpdateWebhookSecretsParams{
			ID: row.ID, Secret: secret, PreviousSecret: previous, OldSecret: row.Secret, OldPreviousSecret: row.PreviousSecret,
		})
	})
}

// eachSecret calls f for the secrets of each webhook.
func eachSecret(ctx context.Context, s *store.Store, f func(sqlc.ListWebhookSecretsRow) error) error {
	for after := uuid.Nil; ; {
		rows, err := s.ListWebhookSecrets(ctx, sqlc.ListWebhookSecretsParams{AfterID: after, MaxRows: maxSealed})
		if err != nil {
			return err
		}
		for _, row := range rows {
			after = row.ID
			if err := f(row); err != nil {
				return err
			}
		}
		if len(rows) < maxSealed {
			return nil
		}
	}
}

// Secrets says which of the server's secrets the webhooks depend on.
type Secrets struct {
	// Webhooks is how many there are.
	Webhooks int
	// Old are those with a secret that is not sealed with the server's first secret yet.
	Old []uuid.UUID
	// Unreadable are those that cannot be signed, because none of the server's secrets opens theirs.
	Unreadable []uuid.UUID
}

// CheckSecrets opens the webhooks' secrets with the server's, of which the first one seals. It changes nothing.
func CheckSecrets(ctx context.Context, s *store.Store, secrets [][]byte) (found Secrets, err error) {
	sealed, err := newSeals(secrets)
	if err != nil {
		return found, err
	}
	err = eachSecret(ctx, s, func(row sqlc.ListWebhookSecretsRow) error {
		found.Webhooks++
		_, old, err := sealed.open(row.ID, row.Secret)
		_, previousOld, _ := sealed.renew(row.ID, row.PreviousSecret)
		switch {
		case err != nil:
			found.Unreadable = append(found.Unreadable, row.ID)
		case old || previousOld:
			found.Old = append(found.Old, row.ID)
		}
		return nil
	})
	return found, err
}
