-- name: CreateTicket :one
-- No row: the account that the ticket counts for, if any, has used up its budget for the day.
WITH spent AS (
    INSERT INTO daily_usage AS u (user_id, day, tickets, messages, bytes)
    SELECT sqlc.narg('counts_for')::uuid, (now() AT TIME ZONE 'UTC')::date, 1, 0, @bytes::bigint
    WHERE sqlc.narg('counts_for')::uuid IS NOT NULL AND @bytes <= @max_bytes::bigint
    ON CONFLICT (user_id, day) DO UPDATE
    SET tickets = u.tickets + 1, bytes = u.bytes + excluded.bytes
    WHERE u.tickets < @max_tickets AND u.bytes + excluded.bytes <= @max_bytes
    RETURNING u.user_id
)
INSERT INTO tickets (id, user_id, title, description)
SELECT @id, @user_id, @title, @description
WHERE sqlc.narg('counts_for')::uuid IS NULL OR EXISTS (SELECT FROM spent)
RETURNING *;

-- name: GetTicket :one
SELECT *
FROM tickets
WHERE id = @id;

-- name: FindTicket :one
-- One that the actor sees, with whose customer it is as far as the actor sees that: a service, only of its own customers.
SELECT sqlc.embed(t), c.service_id, c.external_id, c.display_name
FROM tickets AS t
LEFT JOIN service_customers AS c ON c.user_id = t.user_id AND (@all_customers::boolean OR c.service_id = @actor_id)
WHERE t.id = @id AND (t.user_id = @actor_id OR @staff::boolean);

-- name: LockTicket :one
-- One that the actor sees, as FindTicket returns it. Everything that adds to a ticket's conversation or changes its status
-- takes this lock first.
SELECT sqlc.embed(t), c.service_id, c.external_id, c.display_name
FROM tickets AS t
LEFT JOIN service_customers AS c ON c.user_id = t.user_id AND (@all_customers::boolean OR c.service_id = @actor_id)
WHERE t.id = @id AND (t.user_id = @actor_id OR @staff::boolean)
FOR NO KEY UPDATE OF t;

-- name: ListTicketsByUser :many
SELECT *
FROM tickets
WHERE user_id = @user_id AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: ListTickets :many
-- Everybody's, with whose customers they are: all, or only those of the service.
SELECT sqlc.embed(t), c.service_id, c.external_id, c.display_name
FROM tickets AS t
LEFT JOIN service_customers AS c ON c.user_id = t.user_id AND (@all_customers::boolean OR c.service_id = @service_id)
WHERE (t.created_at, t.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY t.created_at DESC, t.id DESC
LIMIT @max_rows;

-- name: UpdateTicket :one
UPDATE tickets
SET status = @status, ai_mode = @ai_mode, updated_at = clock_timestamp(), version = version + 1
WHERE id = @id
RETURNING *;

-- name: CreateTicketStatusChange :exec
INSERT INTO ticket_status_changes (id, ticket_id, actor_id, from_status, to_status)
VALUES (@id, @ticket_id, @actor_id, @from_status, @to_status);

-- name: DeleteOldUsage :execrows
DELETE FROM daily_usage
WHERE (user_id, day) IN (
    SELECT u.user_id, u.day
    FROM daily_usage AS u
    WHERE u.day < (now() AT TIME ZONE 'UTC')::date - 1
    ORDER BY u.day
    LIMIT @max_rows OFFSET @skip_rows
    FOR UPDATE SKIP LOCKED
);
