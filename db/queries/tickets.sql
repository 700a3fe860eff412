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
-- One that the actor sees.
SELECT *
FROM tickets
WHERE id = @id AND (user_id = @actor_id OR @staff::boolean);

-- name: FindTicketWithMessages :one
-- One that the actor sees, with the service's customer who opened it if the actor may see them, and the newest of its
-- messages, for staff with notes, newest first, all of one moment: a column of theirs is an array, and nobody is the nil UUID.
SELECT
    sqlc.embed(t), c.service_id, c.external_id, c.display_name,
    latest.ids::uuid[] AS ids, latest.authors::text[] AS authors, latest.author_ids::uuid[] AS author_ids,
    latest.contents::text[] AS contents, latest.created_ats::timestamptz[] AS created_ats,
    latest.are_notes::boolean[] AS are_notes, latest.superseded_bys::uuid[] AS superseded_bys
FROM tickets AS t
CROSS JOIN LATERAL (
    SELECT
        coalesce(array_agg(m.id), '{}') AS ids,
        coalesce(array_agg(m.author::text), '{}') AS authors,
        coalesce(array_agg(coalesce(m.author_id, '00000000-0000-0000-0000-000000000000')), '{}') AS author_ids,
        coalesce(array_agg(m.content), '{}') AS contents,
        coalesce(array_agg(m.created_at), '{}') AS created_ats,
        coalesce(array_agg(m.is_note), '{}') AS are_notes,
        coalesce(array_agg(coalesce(m.superseded_by, '00000000-0000-0000-0000-000000000000')), '{}') AS superseded_bys
    FROM (
        SELECT n.*
        FROM messages AS n
        WHERE n.ticket_id = t.id AND (NOT n.is_note OR @staff::boolean)
        ORDER BY n.created_at DESC, n.id DESC
        LIMIT @max_rows
    ) AS m
) AS latest
LEFT JOIN service_customers AS c ON c.user_id = t.user_id AND (@all_customers::boolean OR c.service_id = @actor_id)
WHERE t.id = @id AND (t.user_id = @actor_id OR @staff::boolean);

-- name: LockTicket :one
-- One that the actor sees. Everything that adds to a ticket's conversation or changes its status takes this lock first.
SELECT *
FROM tickets
WHERE id = @id AND (user_id = @actor_id OR @staff::boolean)
FOR NO KEY UPDATE;

-- name: LockTicketAhead :exec
-- Takes the lock of LockTicket for a statement that reads the ticket itself.
SELECT
FROM tickets
WHERE id = @id AND (user_id = @actor_id OR @staff::boolean)
FOR NO KEY UPDATE;

-- name: ListTicketsByUser :many
SELECT *
FROM tickets
WHERE user_id = @user_id AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: ListTickets :many
-- Everybody's, with the customers of all services or only those of one.
SELECT sqlc.embed(t), c.service_id, c.external_id, c.display_name
FROM tickets AS t
LEFT JOIN service_customers AS c ON c.user_id = t.user_id AND (@all_customers::boolean OR c.service_id = @service_id)
WHERE (t.created_at, t.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY t.created_at DESC, t.id DESC
LIMIT @max_rows;

-- name: UpdateTicket :one
-- With the customer, of any service or only of one.
UPDATE tickets AS t
SET status = @status, ai_mode = @ai_mode, updated_at = clock_timestamp(), version = t.version + 1
FROM (
    SELECT b.id, c.service_id, c.external_id, c.display_name
    FROM tickets AS b
    LEFT JOIN service_customers AS c ON c.user_id = b.user_id AND (@all_customers::boolean OR c.service_id = @service_id)
    WHERE b.id = @id
) AS before
WHERE t.id = before.id
RETURNING sqlc.embed(t), before.service_id, before.external_id, before.display_name;

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
