-- name: CreateAPIKey :one
-- No row: the account is not a service's.
WITH created AS (
    INSERT INTO api_keys (id, service_id, name, key_hash, scopes, expires_at)
    SELECT @id, u.id, @name, @key_hash, @scopes::text[], sqlc.narg(expires_at)::timestamptz
    FROM users AS u
    WHERE u.id = @service_id AND u.password_hash = '!'
        AND NOT EXISTS (SELECT FROM service_customers AS c WHERE c.user_id = u.id)
    RETURNING *
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id, data)
    SELECT
        'api_key.created', @actor_kind, @created_by::uuid, created.id,
        jsonb_build_object('service_id', created.service_id, 'scopes', created.scopes)
    FROM created
)
SELECT created.created_at FROM created;

-- name: ListAPIKeys :many
SELECT k.id, k.service_id, k.name, k.scopes, k.created_at, k.last_used_at, k.expires_at, k.revoked_at, u.role
FROM api_keys AS k
JOIN users AS u ON u.id = k.service_id
WHERE (k.created_at, k.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY k.created_at DESC, k.id DESC
LIMIT @max_rows;

-- name: GetAPIKeyAccount :one
-- The account of a valid key.
SELECT u.id, u.email, u.role, u.display_name, k.key_hash, k.scopes
FROM api_keys AS k
JOIN users AS u ON u.id = k.service_id
WHERE k.id = @id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > statement_timestamp())
    AND u.disabled_at IS NULL;

-- name: RevokeAPIKey :one
-- Also returns whether this call revoked the key. No row: there is no such key.
WITH before AS (
    SELECT b.id, b.service_id, b.revoked_at
    FROM api_keys AS b
    WHERE b.id = @id
    FOR UPDATE
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id, data)
    SELECT 'api_key.revoked', @actor_kind, @revoked_by::uuid, before.id, jsonb_build_object('service_id', before.service_id)
    FROM before
    WHERE before.revoked_at IS NULL
)
UPDATE api_keys AS k
SET revoked_at = coalesce(k.revoked_at, clock_timestamp())
FROM before
WHERE k.id = before.id
RETURNING k.service_id, (before.revoked_at IS NULL)::boolean AS revoked;

-- name: UpdateAPIKeysLastUsed :exec
-- Updates only keys whose last use is older than the interval. Skips rows that another server is updating.
UPDATE api_keys
SET last_used_at = clock_timestamp()
WHERE id = ANY (ARRAY(
    SELECT k.id
    FROM api_keys AS k
    WHERE k.id = ANY(@ids::uuid[])
        AND (k.last_used_at IS NULL OR k.last_used_at <= statement_timestamp() - make_interval(secs => @interval_seconds::integer))
    FOR UPDATE SKIP LOCKED
));

-- name: GetServiceCustomer :one
SELECT u.id, u.email, u.display_name, (u.disabled_at IS NOT NULL)::boolean AS disabled
FROM service_customers AS c
JOIN users AS u ON u.id = c.user_id
WHERE c.service_id = @service_id AND c.external_id = @external_id;

-- name: GetServiceCustomerByUserID :one
SELECT u.id, u.email, u.display_name, (u.disabled_at IS NOT NULL)::boolean AS disabled
FROM service_customers AS c
JOIN users AS u ON u.id = c.user_id
WHERE c.service_id = @service_id AND c.user_id = @user_id;

-- name: CreateServiceCustomer :exec
-- Does nothing if the customer exists. Concurrent calls wait for the first one to commit.
WITH customer AS (
    INSERT INTO service_customers (service_id, external_id, user_id)
    VALUES (@service_id, @external_id, @user_id)
    ON CONFLICT (service_id, external_id) DO NOTHING
    RETURNING user_id
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id, data)
    SELECT 'user.created', 'service', @service_id, customer.user_id, jsonb_build_object('role', 'user', 'service_id', @service_id::uuid)
    FROM customer
)
INSERT INTO users (id, email, password_hash, role)
SELECT customer.user_id, @email, '!', 'user'
FROM customer;

-- name: UpdateServiceCustomer :one
-- No row: the account is not a customer of the service. Locks the row first, because the journal entry depends on the
-- old name.
WITH before AS (
    SELECT b.user_id, b.display_name
    FROM service_customers AS b
    WHERE b.service_id = @service_id AND b.user_id = @user_id
    FOR UPDATE
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id, data)
    SELECT 'user.updated', @actor_kind, @service_id, before.user_id, '{"changed": ["display_name"]}'
    FROM before
    WHERE before.display_name IS DISTINCT FROM sqlc.narg(display_name)
)
UPDATE service_customers AS c
SET display_name = sqlc.narg(display_name)
FROM before
WHERE c.service_id = @service_id AND c.user_id = before.user_id
RETURNING c.*;
