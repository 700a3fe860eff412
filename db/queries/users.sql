-- name: CreateUser :one
-- No row when the address is taken, rather than an error: PostgreSQL logs the values of a violated constraint, and an
-- address does not belong in a log. Without a creator, the system creates the account.
WITH created AS (
    INSERT INTO users (id, email, password_hash, role, display_name)
    VALUES (@id, @email, @password_hash, @role, sqlc.narg(display_name))
    ON CONFLICT (lower(email)) DO NOTHING
    RETURNING *
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id, data)
    SELECT
        'user.created', coalesce(sqlc.narg(creator_kind)::actor_kind, 'system'), sqlc.narg(created_by)::uuid, created.id,
        jsonb_build_object('role', created.role)
    FROM created
)
SELECT * FROM created;

-- name: GetUserByEmail :one
SELECT *
FROM users
WHERE lower(email) = lower(@email);

-- name: GetUser :one
SELECT *
FROM users
WHERE id = @id;

-- name: FindUser :one
-- An account that the actor sees: staff see every account, a service those of its customers, and everybody their own.
SELECT sqlc.embed(u), c.service_id, c.external_id, c.display_name
FROM users AS u
LEFT JOIN service_customers AS c ON c.user_id = u.id AND (@all_customers::boolean OR c.service_id = @actor_id)
WHERE u.id = @id AND (@staff::boolean OR u.id = @actor_id OR c.service_id = @actor_id);

-- name: UpdateUserPasswordHash :execrows
-- Only if the hash is still the one that was checked, so that it never undoes a change of the password.
UPDATE users
SET password_hash = @new_hash
WHERE id = @id AND password_hash = @old_hash;

-- name: ListUsers :many
-- Returns the accounts with the service customers that the caller may see.
SELECT sqlc.embed(u), c.service_id, c.external_id, c.display_name
FROM users AS u
LEFT JOIN service_customers AS c ON c.user_id = u.id AND (@all_customers::boolean OR c.service_id = @service_id)
WHERE (u.created_at, u.id) < (@before_created_at::timestamptz, @before_id::uuid)
    AND (sqlc.narg(role)::user_role IS NULL OR u.role = sqlc.narg(role)::user_role)
ORDER BY u.created_at DESC, u.id DESC
LIMIT @max_rows;

-- name: ListStaff :many
-- ListUsers for staff, of one role or of both.
SELECT sqlc.embed(u), c.service_id, c.external_id, c.display_name
FROM users AS u
LEFT JOIN service_customers AS c ON c.user_id = u.id AND (@all_customers::boolean OR c.service_id = @service_id)
WHERE u.role <> 'user' AND (sqlc.narg(role)::user_role IS NULL OR u.role = sqlc.narg(role)::user_role)
    AND (u.created_at, u.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY u.created_at DESC, u.id DESC
LIMIT @max_rows;

-- name: ListUsersByEmailPrefix :many
-- The prefix is normalized like addresses. DEL sorts after every character of an address.
SELECT sqlc.embed(u), c.service_id, c.external_id, c.display_name
FROM users AS u
LEFT JOIN service_customers AS c ON c.user_id = u.id AND (@all_customers::boolean OR c.service_id = @service_id)
WHERE u.email COLLATE "C" >= @prefix::text AND u.email COLLATE "C" < @prefix::text || chr(127)
    AND (u.created_at, u.id) < (@before_created_at::timestamptz, @before_id::uuid)
    AND (sqlc.narg(role)::user_role IS NULL OR u.role = sqlc.narg(role)::user_role)
    AND (NOT @only_staff::boolean OR u.role <> 'user')
ORDER BY u.created_at DESC, u.id DESC
LIMIT @max_rows;

-- name: ListUsersByID :many
-- The accounts with these ids that match the other filters too. The prefix is empty for all addresses.
SELECT sqlc.embed(u), c.service_id, c.external_id, c.display_name
FROM users AS u
LEFT JOIN service_customers AS c ON c.user_id = u.id AND (@all_customers::boolean OR c.service_id = @service_id)
WHERE u.id = ANY(@ids::uuid[])
    AND (u.email COLLATE "C" >= @prefix::text AND u.email COLLATE "C" < @prefix::text || chr(127) OR @prefix::text = '')
    AND (u.created_at, u.id) < (@before_created_at::timestamptz, @before_id::uuid)
    AND (sqlc.narg(role)::user_role IS NULL OR u.role = sqlc.narg(role)::user_role)
    AND (NOT @only_staff::boolean OR u.role <> 'user')
ORDER BY u.created_at DESC, u.id DESC
LIMIT @max_rows;

-- name: LockEnabledAdmins :many
-- A change that removes an administrator locks all of them first, in one order, so that the number that remains is
-- certain. Services do not count, because they cannot log in.
SELECT id
FROM users
WHERE role = 'admin' AND disabled_at IS NULL AND password_hash <> '!'
ORDER BY id
FOR NO KEY UPDATE;

-- name: LockUser :one
-- Returns the account with its service customer, if the caller may see it.
SELECT sqlc.embed(u), c.service_id, c.external_id, c.display_name
FROM users AS u
LEFT JOIN service_customers AS c ON c.user_id = u.id AND (@all_customers::boolean OR c.service_id = @service_id)
WHERE u.id = @id
FOR NO KEY UPDATE OF u;

-- name: UpdateUserAccess :one
-- Invalidates the account's access tokens. The account's row must be locked.
WITH before AS (
    SELECT b.id, b.role, b.disabled_at IS NOT NULL AS disabled
    FROM users AS b
    WHERE b.id = @id
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id, data)
    SELECT
        'user.updated', @actor_kind, @updated_by::uuid, before.id,
        jsonb_build_object(
            'from', jsonb_build_object('role', before.role, 'disabled', before.disabled),
            'to', jsonb_build_object('role', @role::user_role, 'disabled', @disabled::boolean)
        )
    FROM before
)
UPDATE users AS u
SET role = @role::user_role,
    disabled_at = CASE WHEN @disabled::boolean THEN coalesce(u.disabled_at, clock_timestamp()) END,
    token_version = u.token_version + 1
WHERE u.id = @id
RETURNING *;

-- name: UpdateUserName :one
-- Sets or clears the name that is shown beside what the account writes. The account's row must be locked.
WITH entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id, data)
    VALUES ('user.updated', @actor_kind, @updated_by::uuid, @id::uuid, '{"changed": ["display_name"]}')
)
UPDATE users AS u
SET display_name = sqlc.narg(display_name)
WHERE u.id = @id
RETURNING *;
