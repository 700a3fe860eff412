-- name: CreateUser :one
-- No row when the address is taken. PostgreSQL writes the values of a violated constraint to its own log, and an address
-- does not belong there.
INSERT INTO users (id, email, password_hash, role)
VALUES (@id, @email, @password_hash, @role)
ON CONFLICT (lower(email)) DO NOTHING
RETURNING *;

-- name: GetUserByEmail :one
SELECT *
FROM users
WHERE lower(email) = lower(@email);

-- name: GetUser :one
SELECT *
FROM users
WHERE id = @id;

-- name: UpdateUserPasswordHash :execrows
-- Only while the hash is still the one that was checked: a changed password is never put back.
UPDATE users
SET password_hash = @new_hash
WHERE id = @id AND password_hash = @old_hash;

-- name: ListUsers :many
SELECT *
FROM users
WHERE (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
    AND (sqlc.narg(role)::user_role IS NULL OR role = sqlc.narg(role)::user_role)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: ListUsersByEmailPrefix :many
-- The prefix is normalised as addresses are. DEL comes after every character that an address may have.
SELECT *
FROM users
WHERE email COLLATE "C" >= @prefix::text AND email COLLATE "C" < @prefix::text || chr(127)
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
    AND (sqlc.narg(role)::user_role IS NULL OR role = sqlc.narg(role)::user_role)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: LockEnabledAdmins :many
-- Whoever takes an administrator away holds this lock on all of them, in one order, and so decides on how many are left.
-- Services, which cannot log in, do not count.
SELECT id
FROM users
WHERE role = 'admin' AND disabled_at IS NULL AND password_hash <> '!'
ORDER BY id
FOR NO KEY UPDATE;

-- name: LockUser :one
SELECT *
FROM users
WHERE id = @id
FOR NO KEY UPDATE;

-- name: UpdateUserAccess :one
-- Ends the access tokens that there are.
UPDATE users
SET role = @role,
    disabled_at = CASE WHEN @disabled::boolean THEN coalesce(disabled_at, clock_timestamp()) END,
    token_version = token_version + 1
WHERE id = @id
RETURNING *;
