package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/store"
)

const (
	queue = "webhooks"
	// webhooksAtOnce is how many webhooks a replica serves at a time, and sendsAtOnce how many deliveries it sends to
	// each at a time.
	webhooksAtOnce = 32
	sendsAtOnce    = 10
	// batchSize is how many attempts are recorded together, and turn how long a webhook may use a worker before it
	// queues again.
	batchSize = 20
	turn      = 8 * time.Second
	// unreadablePause is the pause of a webhook whose secret cannot be opened. It is short, so that a new secret, or the
	// return of the server's old one, takes effect soon.
	unreadablePause = time.Minute
)

// sendArgs name a webhook with deliveries to send.
type sendArgs struct {
	WebhookID uuid.UUID `json:"webhook_id"`
}

func (sendArgs) Kind() string { return "webhook_send" }

// enqueue adds a job for each webhook without one, in the context's transaction. A job has one attempt: the
// dispatcher's next pass finds what it did not get to.
func (s *Service) enqueue(ctx context.Context, webhooks ...uuid.UUID) error {
	if len(webhooks) == 0 {
		return nil
	}
	jobs := make([]river.InsertManyParams, len(webhooks))
	for i, id := range webhooks {
		jobs[i] = river.InsertManyParams{Args: sendArgs{WebhookID: id}, InsertOpts: &river.InsertOpts{
			Queue: queue, MaxAttempts: 1,
			UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
				rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateScheduled,
			}},
		}}
	}
	return s.jobs.Insert(ctx, jobs...)
}

// worker sends the deliveries of one webhook.
type worker struct {
	river.WorkerDefaults[sendArgs]
	*Service
}

// Work sends due deliveries, in batches. The transaction that records the last batch finishes the job.
func (w *worker) Work(ctx context.Context, job *river.Job[sendArgs]) error {
	for end := time.Now().Add(turn); ; {
		hook, err := w.store.GetWebhook(ctx, job.Args.WebhookID)
		if isNoRow(err) || err == nil && !sends(hook) {
			return nil
		}
		if err != nil {
			return err
		}
		batch := int32(batchSize)
		if hook.Failures >= breakAfter {
			batch = 1
		}
		due, err := w.store.ListDueDeliveries(ctx, sqlc.ListDueDeliveriesParams{WebhookID: hook.ID, MaxRows: batch})
		if err != nil {
			return err
		}
		if len(due) == 0 {
			return w.store.InTx(ctx, func(ctx context.Context) error { return w.finish(ctx, job) })
		}
		results, err := w.attempt(ctx, hook, due)
		if err != nil {
			return err
		}
		last := len(due) < batchSize || time.Now().After(end)
		if err := w.record(ctx, job, due, results, last); err != nil || last {
			return err
		}
	}
}

// finish finishes the job, and adds another one if more has become due since the job last looked: the dispatcher adds no job
// while there is one. The two cannot miss each other, because both lock the job's row.
func (w *worker) finish(ctx context.Context, job *river.Job[sendArgs]) error {
	if err := store.FinishJob(ctx, w.store, job); err != nil {
		return err
	}
	due, err := w.store.ListDueDeliveries(ctx, sqlc.ListDueDeliveriesParams{WebhookID: job.Args.WebhookID, MaxRows: 1})
	if err != nil || len(due) == 0 {
		return err
	}
	return w.enqueue(ctx, job.Args.WebhookID)
}

// sends reports whether the webhook may receive deliveries now.
func sends(hook sqlc.Webhook) bool {
	return !hook.Paused && hook.DisabledAt == nil && (hook.ResumeAt == nil || !hook.ResumeAt.After(time.Now()))
}

// attempt makes one attempt of each delivery, several at a time.
func (w *worker) attempt(ctx context.Context, hook sqlc.Webhook, due []sqlc.WebhookDelivery) ([]result, error) {
	secrets, err := w.secretsOf(hook)
	if err != nil {
		w.logger.ErrorContext(ctx, "webhook not sent", slog.Any("webhook_id", hook.ID), slog.Any("error", err))
		return nil, errors.Join(err, w.store.UpdateWebhookHealth(ctx, sqlc.UpdateWebhookHealthParams{
			ID: hook.ID, Failures: hook.Failures, WaitSeconds: unreadablePause.Seconds(),
		}))
	}
	results, failures := make([]result, len(due)), make([]error, len(due))
	var sending sync.WaitGroup
	slots := make(chan struct{}, sendsAtOnce)
	for i, d := range due {
		slots <- struct{}{}
		sending.Go(func() {
			results[i], failures[i] = w.attemptOne(ctx, hook, d, secrets)
			<-slots
		})
	}
	sending.Wait()
	return results, cmp.Or(errors.Join(failures...), ctx.Err())
}

// attemptOne makes one attempt of a delivery. It fails without sending anything when the event has expired.
func (w *worker) attemptOne(ctx context.Context, hook sqlc.Webhook, d sqlc.WebhookDelivery, secrets []secret) (result, error) {
	body, err := w.bodyOf(ctx, hook, d)
	if errors.Is(err, errExpired) {
		return result{startedAt: time.Now(), failure: errorExpired}, nil
	}
	if err != nil {
		return result{}, err
	}
	r := w.sender.send(ctx, message{id: d.ID, url: hook.URL, body: body, secrets: secrets})
	w.metrics.attempted(r)
	return r, nil
}

// secretsOf returns the secrets that sign the webhook's deliveries, newest first.
func (w *worker) secretsOf(hook sqlc.Webhook) ([]secret, error) {
	current, _, err := w.seals.open(hook.ID, hook.Secret)
	if err != nil {
		return nil, err
	}
	secrets := []secret{current}
	if hook.PreviousSecret != nil && hook.PreviousExpiresAt.After(time.Now()) {
		if previous, _, err := w.seals.open(hook.ID, hook.PreviousSecret); err == nil {
			secrets = append(secrets, previous)
		}
	}
	return secrets, nil
}

// record stores the results of the attempts, and finishes the job after the last ones.
func (w *worker) record(
	ctx context.Context, job *river.Job[sendArgs], due []sqlc.WebhookDelivery, results []result, last bool,
) error {
	return w.store.InTx(ctx, func(ctx context.Context) error {
		if err := w.store.ShareWebhookResponses(store.Ahead(ctx)); err != nil {
			return err
		}
		hook, err := w.store.LockWebhook(ctx, job.Args.WebhookID)
		if isNoRow(err) {
			return nil // The webhook was deleted, and its deliveries will be.
		}
		if err != nil {
			return err
		}
		if err := w.store.RecordWebhookAttempts(ctx, recordOf(due, results)); err != nil {
			return err
		}
		rests, err := w.updateHealth(ctx, hook, results)
		if err != nil || !last {
			return err
		}
		if rests {
			return store.FinishJob(ctx, w.store, job)
		}
		return w.finish(ctx, job)
	})
}

// updateHealth pauses or disables a webhook whose receiver fails, and reports whether it has.
func (w *worker) updateHealth(ctx context.Context, hook sqlc.Webhook, results []result) (rests bool, err error) {
	h := health{failures: hook.Failures}.after(results)
	rests = h.pause > 0
	if err := w.store.UpdateWebhookHealth(ctx, sqlc.UpdateWebhookHealthParams{
		ID: hook.ID, Failures: h.failures, WaitSeconds: h.pause.Seconds(),
	}); err != nil || h.disable == "" {
		return rests, err
	}
	disabled, err := w.store.DisableWebhook(ctx, sqlc.DisableWebhookParams{
		ID: hook.ID, Reason: &h.disable, PatienceSeconds: int32(patience.Seconds()),
	})
	if err != nil || disabled == 0 {
		return rests, err
	}
	w.logger.WarnContext(ctx, "webhook disabled", slog.Any("webhook_id", hook.ID), slog.String("reason", h.disable))
	data, err := json.Marshal(map[string]string{"reason": h.disable})
	if err != nil {
		return true, err
	}
	return true, w.store.CreateJournalEntry(ctx, sqlc.CreateJournalEntryParams{
		Type: "webhook.disabled", ActorKind: sqlc.ActorKindSystem, SubjectID: &hook.ID, Data: data,
	})
}

// recordOf returns attempts as the parameters of the statement that records them.
func recordOf(due []sqlc.WebhookDelivery, results []result) sqlc.RecordWebhookAttemptsParams {
	var p sqlc.RecordWebhookAttemptsParams
	for i, r := range results {
		outcome, wait := sqlc.WebhookDeliveryStatusDelivered, time.Duration(0)
		if !r.ok() {
			outcome = sqlc.WebhookDeliveryStatusFailed
			if next, ok := waitAfter(int(due[i].RoundAttempts)+1, r); ok && !r.final() {
				outcome, wait = sqlc.WebhookDeliveryStatusPending, next
			}
		}
		p.DeliveryIDs = append(p.DeliveryIDs, due[i].ID)
		p.StartedAt = append(p.StartedAt, r.startedAt)
		p.DurationsMs = append(p.DurationsMs, int32(r.duration.Milliseconds())) //nolint:gosec // Some seconds.
		p.Statuses = append(p.Statuses, int32(r.status))                        //nolint:gosec // Three digits.
		p.Errors = append(p.Errors, r.failure)
		p.Responses = append(p.Responses, r.response)
		p.Outcomes = append(p.Outcomes, string(outcome))
		p.WaitsSeconds = append(p.WaitsSeconds, wait.Seconds())
	}
	return p
}
