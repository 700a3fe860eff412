-- name: GetExportedUser :one
-- No row: there is no such customer. Accounts of staff and of services are not exported.
SELECT u.*
FROM users AS u
WHERE u.id = @id AND u.role = 'user' AND NOT EXISTS (SELECT FROM api_keys AS k WHERE k.service_id = u.id);

-- name: ListExportedTickets :many
-- Oldest first.
SELECT *
FROM tickets
WHERE user_id = @user_id AND (created_at, id) > (@after_created_at::timestamptz, @after_id::uuid)
ORDER BY created_at, id
LIMIT @max_rows;

-- name: ListExportedMessages :many
-- The messages that the customer sees, with their authors' names and the customer's ratings.
SELECT
    sqlc.embed(m), coalesce(u.display_name, '')::text AS author_name,
    f.rating, f.comment, f.created_at AS rated_at, f.updated_at AS rating_updated_at
FROM messages AS m
LEFT JOIN users AS u ON u.id = m.author_id
LEFT JOIN message_feedback AS f ON f.message_id = m.id
WHERE m.ticket_id = @ticket_id AND NOT m.is_note AND (m.created_at, m.id) > (@after_created_at::timestamptz, @after_id::uuid)
ORDER BY m.created_at, m.id
LIMIT @max_rows;

-- name: ListExportedAIResponses :many
-- The AI responses that the customer sees, oldest first.
SELECT *
FROM ai_responses
WHERE ticket_id = @ticket_id AND customer_id IS NOT NULL AND (created_at, id) > (@after_created_at::timestamptz, @after_id::uuid)
ORDER BY created_at, id
LIMIT @max_rows;
