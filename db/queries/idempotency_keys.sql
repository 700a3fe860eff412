-- name: ClaimIdempotencyKey :execrows
-- One row: this transaction may use the key. Zero rows: the key has been used. If another transaction is using the key,
-- waits until it commits or rolls back.
INSERT INTO idempotency_keys (id, fingerprint, user_id, ticket_id)
VALUES (@id, @fingerprint, @user_id, sqlc.narg(ticket_id))
ON CONFLICT (id) DO NOTHING;

-- name: GetIdempotencyKey :one
-- No row: the key is unknown or too old. Readers do not wait for each other.
SELECT *
FROM idempotency_keys
WHERE id = @id AND created_at >= now() - make_interval(secs => @kept_seconds::integer);

-- name: DeleteOldIdempotencyKey :exec
DELETE FROM idempotency_keys
WHERE id = @id AND created_at < now() - make_interval(secs => @kept_seconds::integer);

-- name: AnswerIdempotencyKey :exec
UPDATE idempotency_keys
SET status = @status::smallint, headers = @headers::jsonb, body = @body::bytea,
    ticket_id = coalesce(ticket_id, sqlc.narg(ticket_id))
WHERE id = @id;

-- name: DeleteOldIdempotencyKeys :execrows
DELETE FROM idempotency_keys
WHERE id = ANY (ARRAY(
    SELECT k.id
    FROM idempotency_keys AS k
    WHERE k.created_at < now() - make_interval(secs => @kept_seconds::integer)
    ORDER BY k.created_at
    LIMIT @max_rows OFFSET @skip_rows
    FOR UPDATE SKIP LOCKED
));
