-- name: CreateTicket :one
INSERT INTO tickets (id, user_id, title, description)
VALUES (@id, @user_id, @title, @description)
RETURNING id, user_id, title, description, status, created_at, updated_at, ai_mode, version;

-- name: GetTicketByID :one
SELECT id, user_id, title, description, status, created_at, updated_at, ai_mode, version
FROM tickets
WHERE id = @id AND (user_id = @actor_id OR @staff::boolean);

-- name: LockTicketByID :one
-- Everything that adds to a ticket's conversation or changes its status takes this lock first.
SELECT id, user_id, title, description, status, created_at, updated_at, ai_mode, version
FROM tickets
WHERE id = @id AND (user_id = @actor_id OR @staff::boolean)
FOR NO KEY UPDATE;

-- name: ListTicketsByUser :many
SELECT id, user_id, title, description, status, created_at, updated_at, ai_mode, version
FROM tickets
WHERE user_id = @user_id AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: ListTickets :many
SELECT id, user_id, title, description, status, created_at, updated_at, ai_mode, version
FROM tickets
WHERE (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: UpdateTicket :one
UPDATE tickets
SET status = @status, ai_mode = @ai_mode, updated_at = clock_timestamp(), version = version + 1
WHERE id = @id
RETURNING id, user_id, title, description, status, created_at, updated_at, ai_mode, version;

-- name: CreateTicketStatusChange :exec
INSERT INTO ticket_status_changes (id, ticket_id, actor_id, from_status, to_status)
VALUES (@id, @ticket_id, @actor_id, @from_status, @to_status);
