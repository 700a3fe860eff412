-- name: ClaimIdempotencyKey :execrows
-- One row: the key is this transaction's to use, because it is unused or was used too long ago. Zero rows: it is in use.
-- While another transaction holds the key, this one waits to see whether that commits.
INSERT INTO idempotency_keys (id, fingerprint)
VALUES (@id, @fingerprint)
ON CONFLICT (id) DO UPDATE
SET fingerprint = EXCLUDED.fingerprint, status = NULL, headers = NULL, body = NULL, created_at = now()
WHERE idempotency_keys.created_at < now() - make_interval(secs => @kept_seconds::integer);

-- name: GetIdempotencyKey :one
SELECT id, fingerprint, status, headers, body, created_at
FROM idempotency_keys
WHERE id = @id;

-- name: AnswerIdempotencyKey :exec
UPDATE idempotency_keys
SET status = @status::smallint, headers = @headers::jsonb, body = @body::bytea
WHERE id = @id;

-- name: DeleteOldIdempotencyKeys :execrows
DELETE FROM idempotency_keys
WHERE id IN (
    SELECT k.id
    FROM idempotency_keys AS k
    WHERE k.created_at < now() - make_interval(secs => @kept_seconds::integer)
    ORDER BY k.created_at
    LIMIT @max_keys
    FOR UPDATE SKIP LOCKED
);
