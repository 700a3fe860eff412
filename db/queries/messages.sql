-- name: CreateMessage :one
-- Takes its place in the ticket's order, so the ticket's row must be locked. What the ticket shows changes with it, and so
-- does the ticket's version.
WITH raised AS (
    UPDATE tickets
    SET version = version + 1
    WHERE tickets.id = @ticket_id
)
INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
VALUES (
    @id, @ticket_id, @author, @author_id, @content,
    GREATEST(
        clock_timestamp(),
        (
            SELECT max(m.created_at) + interval '1 microsecond'
            FROM messages AS m
            WHERE m.ticket_id = @ticket_id
        )
    )
)
RETURNING id, ticket_id, author, author_id, content, created_at;

-- name: GetMessageByID :one
SELECT id, ticket_id, author, author_id, content, created_at
FROM messages
WHERE id = @id;

-- name: ListMessagesByTicket :many
SELECT id, ticket_id, author, author_id, content, created_at
FROM messages
WHERE ticket_id = @ticket_id AND (created_at, id) > (@after_created_at::timestamptz, @after_id::uuid)
ORDER BY created_at, id
LIMIT @max_rows;

-- name: ListLatestMessagesByTicket :many
-- The newest, oldest of them first.
SELECT id, ticket_id, author, author_id, content, created_at
FROM (
    SELECT m.id, m.ticket_id, m.author, m.author_id, m.content, m.created_at
    FROM messages AS m
    WHERE m.ticket_id = @ticket_id
    ORDER BY m.created_at DESC, m.id DESC
    LIMIT @max_rows
) AS latest
ORDER BY created_at, id;

-- name: GetLatestCustomerMessage :one
SELECT id, ticket_id, author, author_id, content, created_at
FROM messages
WHERE ticket_id = @ticket_id AND author = 'customer'
ORDER BY created_at DESC, id DESC
LIMIT 1;
