-- name: ClaimIdempotencyKey :execrows
-- Returns 0 rows if the transaction may use the key, and 1 row if the key was used before.
SELECT FROM claim_idempotency_key(@id);

-- name: GetIdempotencyKey :one
-- No row: the key is unknown or too old. Readers do not wait for each other.
SELECT *
FROM idempotency_keys
WHERE id = @id AND created_at >= now() - make_interval(secs => @kept_seconds::integer);

-- name: DeleteOldIdempotencyKey :exec
DELETE FROM idempotency_keys
WHERE id = @id AND created_at < now() - make_interval(secs => @kept_seconds::integer);

-- name: CreateIdempotencyKey :exec
INSERT INTO idempotency_keys (id, fingerprint, user_id, ticket_id, status, headers, body)
VALUES (@id, @fingerprint, @user_id, sqlc.narg(ticket_id), @status, @headers, @body);

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
