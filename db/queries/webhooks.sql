-- name: CreateWebhook :one
-- No row: the limit of webhooks is reached.
INSERT INTO webhooks (id, url, description, types, payload, secret)
SELECT @id, @url, sqlc.narg(description), @types::text[], @payload, @secret
WHERE (SELECT count(*) FROM webhooks AS w WHERE w.deleted_at IS NULL) < @max_webhooks::integer
RETURNING *;

-- name: ListWebhooks :many
SELECT *
FROM webhooks AS w
WHERE w.deleted_at IS NULL AND (w.created_at, w.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY w.created_at DESC, w.id DESC
LIMIT @max_rows;

-- name: GetWebhook :one
SELECT * FROM webhooks WHERE id = @id AND deleted_at IS NULL;

-- name: UpdateWebhook :one
-- Pausing and resuming are PauseWebhook and ResumeWebhook.
UPDATE webhooks
SET
    url = coalesce(sqlc.narg(url), url),
    description = coalesce(sqlc.narg(description), description),
    types = coalesce(sqlc.narg(types)::text[], types),
    payload = coalesce(sqlc.narg(payload), payload),
    updated_at = CASE
        WHEN (
            coalesce(sqlc.narg(url), url), coalesce(sqlc.narg(description), description),
            coalesce(sqlc.narg(types)::text[], types), coalesce(sqlc.narg(payload), payload)
        ) IS DISTINCT FROM (url, description, types, payload) THEN clock_timestamp()
        ELSE updated_at
    END
WHERE id = @id AND deleted_at IS NULL
RETURNING *;

-- name: PauseWebhook :exec
-- Remembers the first entry that the webhook misses. The cursor's lock waits for the dispatcher's pass.
WITH cursor AS (
    SELECT position FROM webhook_cursor FOR UPDATE
)
UPDATE webhooks AS w
SET paused = true, paused_position = cursor.position + 1, updated_at = clock_timestamp()
FROM cursor
WHERE w.id = @id AND NOT w.paused;

-- name: ResumeWebhook :exec
-- Replays the entries that the webhook missed, together with an unfinished replay, and enables the webhook.
WITH cursor AS (
    SELECT position FROM webhook_cursor FOR UPDATE
)
UPDATE webhooks AS w
SET
    paused = false, paused_position = NULL,
    replay_position = least(w.replay_position, w.paused_position),
    replay_until = CASE WHEN w.paused_position IS NULL THEN w.replay_until ELSE greatest(w.replay_until, cursor.position) END,
    disabled_at = NULL, disabled_reason = NULL, failures = 0, failing_since = NULL, resume_at = NULL,
    updated_at = CASE WHEN w.paused OR w.disabled_at IS NOT NULL THEN clock_timestamp() ELSE w.updated_at END
FROM cursor
WHERE w.id = @id;

-- name: DeleteWebhook :execrows
-- The deliveries are deleted later, in batches.
UPDATE webhooks
SET deleted_at = clock_timestamp(), replay_position = NULL, replay_until = NULL
WHERE id = @id AND deleted_at IS NULL;

-- name: LockWebhook :one
SELECT * FROM webhooks WHERE id = @id AND deleted_at IS NULL FOR UPDATE;

-- name: RotateWebhookSecret :one
UPDATE webhooks
SET
    previous_secret = secret, previous_expires_at = clock_timestamp() + make_interval(secs => @kept_seconds::integer),
    secret = @secret, updated_at = clock_timestamp()
WHERE id = @id AND deleted_at IS NULL
RETURNING *;

-- name: ListWebhookSecrets :many
-- The encrypted secrets, to encrypt them with another key.
SELECT id, secret, previous_secret
FROM webhooks
WHERE deleted_at IS NULL AND id > @after_id
ORDER BY id
LIMIT @max_rows;

-- name: UpdateWebhookSecrets :exec
-- Does nothing if the secrets have been replaced in the meantime.
UPDATE webhooks
SET secret = @secret, previous_secret = sqlc.narg(previous_secret)
WHERE id = @id AND secret = @old_secret AND previous_secret IS NOT DISTINCT FROM sqlc.narg(old_previous_secret);

-- name: CreateTestDelivery :one
-- No row: there is no such webhook.
INSERT INTO webhook_deliveries (id, webhook_id, type)
SELECT @id, w.id, @type
FROM webhooks AS w
WHERE w.id = @webhook_id AND w.deleted_at IS NULL
RETURNING *;

-- name: ListWebhookDeliveries :many
SELECT *
FROM webhook_deliveries AS d
WHERE d.webhook_id = @webhook_id AND (d.created_at, d.id) < (@before_created_at::timestamptz, @before_id::uuid)
    AND (sqlc.narg(status)::webhook_delivery_status IS NULL OR d.status = sqlc.narg(status))
ORDER BY d.created_at DESC, d.id DESC
LIMIT @max_rows;

-- name: GetWebhookDelivery :one
SELECT d.*
FROM webhook_deliveries AS d
JOIN webhooks AS w ON w.id = d.webhook_id
WHERE d.id = @id AND w.deleted_at IS NULL;

-- name: ListWebhookAttempts :many
-- Newest first.
SELECT * FROM webhook_attempts WHERE delivery_id = @delivery_id ORDER BY number DESC LIMIT @max_rows;

-- name: RedeliverWebhook :one
-- No row: there is no such delivery.
UPDATE webhook_deliveries AS d
SET status = 'pending', round_attempts = 0, next_attempt_at = clock_timestamp(), finished_at = NULL
FROM webhooks AS w
WHERE d.id = @id AND w.id = d.webhook_id AND w.deleted_at IS NULL
RETURNING d.*;

-- name: ListDueDeliveries :many
-- The due deliveries of a webhook.
SELECT *
FROM webhook_deliveries AS d
WHERE d.webhook_id = @webhook_id AND d.status = 'pending' AND d.next_attempt_at <= statement_timestamp()
ORDER BY d.next_attempt_at
LIMIT @max_rows;

-- name: ListDueWebhooks :many
-- The webhooks with due deliveries.
SELECT w.id
FROM webhooks AS w
WHERE w.deleted_at IS NULL AND w.disabled_at IS NULL AND NOT w.paused
    AND (w.resume_at IS NULL OR w.resume_at <= statement_timestamp())
    AND EXISTS (
        SELECT FROM webhook_deliveries AS d
        WHERE d.webhook_id = w.id AND d.status = 'pending' AND d.next_attempt_at <= statement_timestamp()
    );

-- name: LockWebhookResponses :exec
-- Taken to delete responses. Waits for transactions that are storing responses.
SELECT pg_advisory_xact_lock(2003132015);

-- name: ShareWebhookResponses :exec
-- Taken to store responses. The transaction's next statement sees what has been redacted or erased.
SELECT pg_advisory_xact_lock_shared(2003132015);

-- name: RecordWebhookAttempts :exec
-- Records the results of attempts. Skips deliveries that have been deleted or delivered in the meantime. Leaves out responses that
-- may repeat a redacted or erased text; the transaction must hold the lock of ShareWebhookResponses. The rows are looked up by id
-- and checked afterwards: otherwise the planner may read all pending deliveries.
WITH results AS (
    SELECT
        unnest(@delivery_ids::uuid[]) AS delivery_id, unnest(@started_at::timestamptz[]) AS started_at,
        unnest(@durations_ms::integer[]) AS duration_ms, unnest(@statuses::integer[]) AS status,
        unnest(@errors::text[]) AS error, unnest(@responses::text[]) AS response,
        unnest(@outcomes::text[]) AS outcome, unnest(@waits_seconds::double precision[]) AS wait_seconds
), locked AS (
    SELECT d.id, d.status, d.position
    FROM results AS r
    JOIN webhook_deliveries AS d ON d.id = r.delivery_id
    ORDER BY d.id
    FOR NO KEY UPDATE OF d
), deliveries AS (
    UPDATE webhook_deliveries AS d
    SET
        attempt_count = d.attempt_count + 1, round_attempts = d.round_attempts + 1,
        status = r.outcome::webhook_delivery_status,
        next_attempt_at = CASE r.outcome WHEN 'pending' THEN clock_timestamp() + make_interval(secs => r.wait_seconds) END,
        finished_at = CASE r.outcome WHEN 'pending' THEN NULL ELSE clock_timestamp() END
    FROM locked
    JOIN results AS r ON r.delivery_id = locked.id
    WHERE d.id = locked.id AND locked.status = 'pending'
    RETURNING d.id, d.position, d.attempt_count, r.started_at, r.duration_ms, r.status AS response_status, r.error, r.response
)
INSERT INTO webhook_attempts (delivery_id, number, started_at, duration_ms, status, error, response)
SELECT
    d.id, d.attempt_count, d.started_at, d.duration_ms, nullif(d.response_status, 0), nullif(d.error, ''),
    CASE WHEN d.position IS NULL OR journal_entry_intact(d.position) THEN nullif(d.response, '') END
FROM deliveries AS d;

-- name: UpdateWebhookHealth :exec
UPDATE webhooks
SET
    failures = @failures,
    failing_since = CASE WHEN @failures::integer = 0 THEN NULL ELSE coalesce(failing_since, clock_timestamp()) END,
    resume_at = CASE WHEN @wait_seconds::double precision > 0 THEN clock_timestamp() + make_interval(secs => @wait_seconds) END
WHERE id = @id;

-- name: DisableWebhook :execrows
-- Does nothing if the webhook is already disabled. A webhook whose receiver is not gone must have failed for
-- patience_seconds.
UPDATE webhooks
SET disabled_at = clock_timestamp(), disabled_reason = @reason, updated_at = clock_timestamp()
WHERE id = @id AND disabled_at IS NULL AND deleted_at IS NULL
    AND (@reason = 'gone' OR failing_since <= statement_timestamp() - make_interval(secs => @patience_seconds::integer));

-- name: DeleteOldWebhookDeliveries :execrows
DELETE FROM webhook_deliveries
WHERE id = ANY (ARRAY(
    SELECT d.id
    FROM webhook_deliveries AS d
    WHERE d.status <> 'pending' AND d.finished_at < statement_timestamp() - make_interval(secs => @kept_seconds::integer)
    ORDER BY d.finished_at
    LIMIT @max_rows OFFSET @skip_rows
    FOR UPDATE SKIP LOCKED
));

-- name: DeleteDeliveriesOfDeletedWebhooks :execrows
DELETE FROM webhook_deliveries
WHERE id = ANY (ARRAY(
    SELECT d.id
    FROM webhook_deliveries AS d
    JOIN webhooks AS w ON w.id = d.webhook_id
    WHERE w.deleted_at IS NOT NULL
    LIMIT @max_rows OFFSET @skip_rows
));

-- name: DeleteDeletedWebhooks :exec
DELETE FROM webhooks AS w
WHERE w.deleted_at IS NOT NULL AND NOT EXISTS (SELECT FROM webhook_deliveries AS d WHERE d.webhook_id = w.id);

-- name: GetOldestPendingDelivery :one
-- The age of the oldest pending delivery, in seconds. Deliveries of paused and disabled webhooks do not count.
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(oldest.created_at)), 0)::double precision AS age_seconds
FROM webhooks AS w
CROSS JOIN LATERAL (
    SELECT d.created_at
    FROM webhook_deliveries AS d
    WHERE d.webhook_id = w.id AND d.status = 'pending'
    ORDER BY d.created_at
    LIMIT 1
) AS oldest
WHERE w.deleted_at IS NULL AND w.disabled_at IS NULL AND NOT w.paused;

-- name: CountWebhookWork :one
-- Returns 0 if the dispatcher has nothing to do.
SELECT (
    (SELECT count(*) FROM webhook_cursor AS c JOIN journal_head AS h ON h.position > c.position)
    + (SELECT count(*) FROM (
        SELECT FROM webhooks AS w
        WHERE w.deleted_at IS NULL AND (
            w.replay_position IS NOT NULL AND NOT w.paused
            OR w.disabled_at IS NULL AND NOT w.paused AND (w.resume_at IS NULL OR w.resume_at <= statement_timestamp()) AND EXISTS (
                SELECT FROM webhook_deliveries AS d
                WHERE d.webhook_id = w.id AND d.status = 'pending' AND d.next_attempt_at <= statement_timestamp()
            )
        )
        LIMIT 1
    ) AS busy)
)::integer AS work;

-- name: LockWebhookCursor :one
-- No row: another session is creating deliveries.
SELECT position FROM webhook_cursor FOR UPDATE SKIP LOCKED;

-- name: ListWebhookMatches :many
-- The entries after a position, one row per webhook that subscribes to them, or one row with NULL.
SELECT j.position, j.type, w.id AS webhook_id
FROM (SELECT n.position, n.type FROM journal AS n WHERE n.position > @after ORDER BY n.position LIMIT @max_rows) AS j
LEFT JOIN webhooks AS w
    ON w.deleted_at IS NULL AND w.disabled_at IS NULL AND NOT w.paused AND (cardinality(w.types) = 0 OR j.type = ANY(w.types))
ORDER BY j.position;

-- name: UpdateWebhookCursor :exec
UPDATE webhook_cursor SET position = @position;

-- name: CreateWebhookDeliveries :exec
-- An existing delivery becomes due again.
INSERT INTO webhook_deliveries AS d (id, webhook_id, position, type)
SELECT unnest(@ids::uuid[]), unnest(@webhook_ids::uuid[]), unnest(@positions::bigint[]), unnest(@types::text[])
ON CONFLICT (webhook_id, position) DO UPDATE
SET status = 'pending', round_attempts = 0, next_attempt_at = clock_timestamp(), finished_at = NULL;

-- name: StartWebhookReplay :one
-- Replays up to the newest entry, together with what is still to be replayed. No row: there is no such webhook.
UPDATE webhooks AS w
SET replay_position = least(w.replay_position, @position), replay_until = h.position
FROM journal_head AS h
WHERE w.id = @id AND w.deleted_at IS NULL
RETURNING h.position AS until;

-- name: GetWebhookToReplay :one
-- The next webhook to replay. The caller holds the cursor's lock.
SELECT * FROM webhooks WHERE replay_position IS NOT NULL AND NOT paused AND deleted_at IS NULL ORDER BY id LIMIT 1;

-- name: ListReplayedEntries :many
SELECT j.position, j.type
FROM journal AS j
WHERE j.position >= @first AND j.position <= @until AND (cardinality(@types::text[]) = 0 OR j.type = ANY(@types::text[]))
ORDER BY j.position
LIMIT @max_rows;

-- name: UpdateWebhookReplay :exec
-- Does nothing if another replay has begun in the meantime. Without a position, the replay has finished.
UPDATE webhooks
SET replay_position = sqlc.narg(position), replay_until = CASE WHEN sqlc.narg(position)::bigint IS NULL THEN NULL ELSE replay_until END
WHERE id = @id AND replay_position = @old_position AND replay_until = @old_until;
