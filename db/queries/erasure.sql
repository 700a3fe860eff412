-- name: BeginErasure :one
-- Closes a customer's account permanently and removes all personal data from its row. The rest follows in batches. No
-- row: there is no such customer. Accounts of staff and of services are not erased.
WITH subject AS (
    SELECT u.id, u.erasing_at
    FROM users AS u
    WHERE u.id = @id AND u.role = 'user' AND NOT EXISTS (SELECT FROM api_keys AS k WHERE k.service_id = u.id)
    FOR NO KEY UPDATE
),
closed AS (
    UPDATE users AS u
    SET email = u.id || '@erased.invalid', display_name = NULL, password_hash = '!', token_version = u.token_version + 1,
        disabled_at = coalesce(u.disabled_at, clock_timestamp()), erasing_at = clock_timestamp()
    FROM subject
    WHERE u.id = subject.id
),
ended AS (
    DELETE FROM sessions AS s
    USING subject
    WHERE s.user_id = subject.id
),
unnamed AS (
    DELETE FROM service_customers AS c
    USING subject
    WHERE c.user_id = subject.id
),
journal AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id)
    SELECT 'user.deleted', @actor_kind, @actor_id::uuid, subject.id
    FROM subject
)
SELECT subject.id
FROM subject;

-- name: EraseMessages :execrows
-- Also deletes the AI responses of the messages, with their events.
DELETE FROM messages
WHERE id = ANY (ARRAY(
    SELECT m.id
    FROM tickets AS t
    JOIN messages AS m ON m.ticket_id = t.id
    WHERE t.user_id = @user_id
    LIMIT @max_rows
));

-- name: EraseWebhookResponses :execrows
-- Deletes the stored responses to webhook deliveries about a customer, which may repeat personal data: all of a delivery
-- with one of the first max_rows.
UPDATE webhook_attempts
SET response = NULL
WHERE response IS NOT NULL AND delivery_id = ANY (ARRAY(
    SELECT a.delivery_id
    FROM (
        SELECT j.position FROM journal AS j WHERE j.customer_id = @user_id
        UNION
        SELECT j.position FROM tickets AS t JOIN journal AS j ON j.ticket_id = t.id WHERE t.user_id = @user_id
    ) AS entry
    CROSS JOIN webhooks AS w
    JOIN webhook_deliveries AS d ON d.webhook_id = w.id AND d.position = entry.position
    JOIN webhook_attempts AS a ON a.delivery_id = d.id
    WHERE a.response IS NOT NULL
    LIMIT @max_rows
));

-- name: EraseTickets :one
-- Deletes tickets, the stored responses to requests in them, and the data of their journal entries. The entries stay.
WITH batch AS (
    SELECT t.id
    FROM tickets AS t
    WHERE t.user_id = @user_id
    ORDER BY t.created_at, t.id
    LIMIT @max_rows
    FOR UPDATE
),
forgotten AS (
    DELETE FROM idempotency_keys AS k
    USING batch
    WHERE k.ticket_id = batch.id
),
waiting AS (
    UPDATE journal_outbox AS o
    SET data = '{}'
    FROM batch
    WHERE o.ticket_id = batch.id AND o.data <> '{}'
),
entered AS (
    UPDATE journal AS j
    SET data = '{}'
    FROM batch
    WHERE j.ticket_id = batch.id AND j.data <> '{}'
),
gone AS (
    DELETE FROM tickets AS t
    USING batch
    WHERE t.id = batch.id
)
SELECT count(*)
FROM batch;

-- name: EraseJournalData :execrows
-- Empties the journal entries of a customer. The entries keep their positions.
WITH waiting AS (
    UPDATE journal_outbox
    SET data = '{}'
    WHERE (customer_id = @user_id OR subject_id = @user_id) AND data <> '{}'
)
UPDATE journal
SET data = '{}'
WHERE position = ANY (ARRAY(
    SELECT j.position
    FROM journal AS j
    WHERE j.customer_id = @user_id AND j.data <> '{}'
    LIMIT @max_rows
));

-- name: EraseRememberedResponses :execrows
DELETE FROM idempotency_keys
WHERE id = ANY (ARRAY(SELECT k.id FROM idempotency_keys AS k WHERE k.user_id = @user_id LIMIT @max_rows));

-- name: EraseUsage :execrows
DELETE FROM daily_usage AS d
WHERE d.user_id = @user_id AND d.day = ANY (ARRAY(SELECT u.day FROM daily_usage AS u WHERE u.user_id = @user_id LIMIT @max_rows));

-- name: ListErasures :many
SELECT id
FROM users
WHERE erasing_at IS NOT NULL
ORDER BY erasing_at
LIMIT @max_rows;

-- name: FinishErasure :exec
-- Waits settled_seconds, because a request that began before the account was closed may still write after the last
-- batch.
UPDATE users
SET erasing_at = NULL
WHERE id = @id AND erasing_at < statement_timestamp() - make_interval(secs => @settled_seconds::integer);
