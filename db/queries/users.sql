-- name: CreateUser :one
-- No row when the address is taken. PostgreSQL writes the values of a violated constraint to its own log, and an address
-- does not belong there.
INSERT INTO users (id, email, password_hash, role)
VALUES (@id, @email, @password_hash, @role)
ON CONFLICT (lower(email)) DO NOTHING
RETURNING id, email, password_hash, role, created_at;

-- name: GetUserByEmail :one
SELECT id, email, password_hash, role, created_at
FROM users
WHERE lower(email) = lower(@email);

-- name: GetUserByID :one
SELECT id, email, password_hash, role, created_at
FROM users
WHERE id = @id;

-- name: UpdateUserPasswordHash :exec
-- Only while the hash is still the one that was checked: a changed password is never put back.
UPDATE users
SET password_hash = @new_hash
WHERE id = @id AND password_hash = @old_hash;
