-- name: CreateMessage :one
-- Adds a human message with add_message. No row: there is no such ticket, it is closed, or the account that the message
-- counts for has used up its budget for the day.
SELECT m.*
FROM add_message(
    @id::uuid, @ticket_id::uuid, @actor_id::uuid, @actor_kind::actor_kind, @staff::boolean, @content::text,
    sqlc.narg(client_id)::text, sqlc.narg(counts_for)::uuid, @max_messages::integer, @max_bytes::bigint, @change_id::uuid
) AS m;

-- name: CreateMessages :many
-- Adds messages of one actor to one ticket, in order. Each works like CreateMessage, and sees the effects of those
-- before it. A message for which CreateMessage would return no row has none here; the others are created.
SELECT m.*
FROM (
    SELECT unnest(@ids::uuid[]) AS id, unnest(@contents::text[]) AS content, unnest(@change_ids::uuid[]) AS change_id
) AS given
CROSS JOIN LATERAL add_message(
    given.id, @ticket_id::uuid, @actor_id::uuid, @actor_kind::actor_kind, @staff::boolean, given.content,
    NULL, sqlc.narg(counts_for)::uuid, @max_messages::integer, @max_bytes::bigint, given.change_id
) AS m;

-- name: CreateNote :one
-- Adds a staff note as the newest message of a ticket, which must be locked. Nothing that customers see changes. No
-- row: there is no such ticket, or the actor is not staff.
WITH before AS (
    SELECT
        t.id,
        GREATEST(
            clock_timestamp(),
            (SELECT max(m.created_at) + interval '1 microsecond' FROM messages AS m WHERE m.ticket_id = t.id)
        ) AS written_at
    FROM tickets AS t
    WHERE t.id = @ticket_id AND @staff::boolean
),
raised AS (
    UPDATE tickets
    SET note_version = note_version + 1
    FROM before
    WHERE tickets.id = before.id
),
journal AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id)
    SELECT 'note.created', @actor_kind, @actor_id::uuid, before.id, @id::uuid
    FROM before
)
INSERT INTO messages (id, ticket_id, author, author_id, content, created_at, is_note)
SELECT @id, before.id, 'agent', @actor_id::uuid, @content, before.written_at, true
FROM before
RETURNING *;

-- name: LockTicketOfMessage :one
-- The ticket of a message, for staff.
SELECT t.*
FROM messages AS m
JOIN tickets AS t ON t.id = m.ticket_id
WHERE m.id = @message_id AND @staff::boolean
FOR NO KEY UPDATE OF t;

-- name: RedactMessage :one
-- Removes the text of a message and the comment on its rating. Its ticket must be locked. No row: the message is
-- already redacted.
WITH redacted AS (
    UPDATE messages AS m
    SET content = '[redacted]', redacted_at = clock_timestamp()
    WHERE m.id = @id AND m.redacted_at IS NULL
    RETURNING m.*
),
raised AS (
    UPDATE tickets AS t
    SET version = t.version + (NOT redacted.is_note)::integer,
        note_version = t.note_version + redacted.is_note::integer,
        updated_at = CASE WHEN redacted.is_note THEN t.updated_at ELSE redacted.redacted_at END
    FROM redacted
    WHERE t.id = redacted.ticket_id
    RETURNING t.id, t.user_id
),
rated AS (
    UPDATE message_feedback AS f
    SET comment = NULL
    FROM redacted
    WHERE f.message_id = redacted.id AND f.comment IS NOT NULL
),
journal AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id)
    SELECT 'message.redacted', @actor_kind, @actor_id::uuid, redacted.ticket_id, redacted.id,
        CASE WHEN NOT redacted.is_note THEN raised.user_id END
    FROM redacted, raised
)
SELECT * FROM redacted;

-- name: RedactTicket :one
-- Removes the title, description and handoff note of a ticket. The ticket must be locked and not yet redacted.
WITH entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, customer_id)
    SELECT 'ticket.redacted', @actor_kind, @actor_id::uuid, t.id, t.user_id
    FROM tickets AS t
    WHERE t.id = @id
)
UPDATE tickets AS redacted
SET title = '[redacted]', description = '[redacted]', handoff_note = NULL, redacted_at = clock_timestamp(),
    updated_at = clock_timestamp(), version = redacted.version + 1
WHERE redacted.id = @id
RETURNING redacted.redacted_at::timestamptz AS redacted_at;

-- name: EmptyAIResponses :exec
-- Removes AI texts that may quote the redacted text: drafts, which are discarded, responses to staff, and answers that
-- ended without a message. For a redacted answer, removes its events. When a note is redacted, answers stay, because
-- they cannot quote notes. The ticket must be locked.
WITH emptied AS (
    UPDATE ai_responses AS r
    SET has_events = false,
        content = CASE WHEN r.content IS NOT NULL THEN '[redacted]' END,
        review = CASE WHEN r.review = 'pending' THEN 'discarded' ELSE r.review END,
        reviewed_at = CASE WHEN r.review = 'pending' THEN clock_timestamp() ELSE r.reviewed_at END,
        reviewed_by = CASE WHEN r.review = 'pending' THEN @actor_id::uuid ELSE r.reviewed_by END
    FROM ai_responses AS before
    WHERE before.ticket_id = @ticket_id AND r.id = before.id AND r.status <> 'streaming' AND (
        r.message_id = sqlc.narg(message_id)::uuid OR r.message_id IS NULL AND (r.kind <> 'answer' OR NOT @is_note::boolean)
    )
    RETURNING r.id AS id, before.review AS review_before
),
unlogged AS (
    DELETE FROM ai_response_events AS e
    USING emptied
    WHERE e.ai_response_id = emptied.id
)
INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, data)
SELECT 'ai_response.discarded', @actor_kind, @actor_id::uuid, @ticket_id::uuid, emptied.id, '{"kind": "answer"}'
FROM emptied
WHERE emptied.review_before = 'pending';

-- name: RedactRememberedResponses :exec
-- Puts the tombstone of a ticket or message into the stored responses to requests in the ticket, and in tickets that
-- were merged into it. Also redacts stored AI texts for staff, which may quote the redacted text. The ticket must be
-- locked.
WITH remembered AS MATERIALIZED (
    SELECT k.id, convert_from(k.body, 'UTF8')::jsonb - 'handoff_note' AS body
    FROM idempotency_keys AS k
    WHERE k.ticket_id IN (
        SELECT @ticket_id::uuid
        UNION ALL
        SELECT merged.id FROM tickets AS merged WHERE merged.merged_into = @ticket_id
    ) AND substring(k.body FOR 1) = '{'
)
UPDATE idempotency_keys AS k
SET body = convert_to(CASE
    WHEN r.body ->> 'id' = @id::text THEN r.body || @tombstone::jsonb
    WHEN r.body #>> '{message,id}' = @id THEN jsonb_set(r.body, '{message}', (r.body -> 'message') || @tombstone)
    WHEN r.body #>> '{ticket,id}' = @id
        THEN jsonb_set(r.body, '{ticket}', ((r.body -> 'ticket') - 'handoff_note') || @tombstone)
    ELSE r.body || '{"content": "[redacted]"}'
END::text, 'UTF8')
FROM remembered AS r
WHERE k.id = r.id AND (
    @id IN (r.body ->> 'id', r.body #>> '{message,id}', r.body #>> '{ticket,id}')
    OR r.body ? 'content' AND r.body ? 'kind'
);

-- name: RedactWebhookResponses :exec
-- Deletes the stored responses to webhook deliveries about a ticket or message, including those from before a merge
-- into this ticket. They may repeat the redacted text.
UPDATE webhook_attempts AS a
SET response = NULL
FROM journal AS j
CROSS JOIN webhooks AS w
JOIN webhook_deliveries AS d ON d.webhook_id = w.id AND d.position = j.position
WHERE j.ticket_id IN (
        SELECT @ticket_id::uuid
        UNION ALL
        SELECT merged.id FROM tickets AS merged WHERE merged.merged_into = @ticket_id
    )
    AND coalesce(j.subject_id, j.ticket_id) = @id::uuid AND a.delivery_id = d.id AND a.response IS NOT NULL;

-- name: GetMessage :one
SELECT *
FROM messages
WHERE id = @id;

-- name: GetMessageWithName :one
-- Returns a message as ListMessagesByTicket does.
SELECT sqlc.embed(m), coalesce(c.display_name, u.display_name, '')::text AS author_name
FROM messages AS m
LEFT JOIN users AS u ON u.id = m.author_id
LEFT JOIN service_customers AS c
    ON c.user_id = m.author_id AND m.author = 'customer' AND (@all_customers::boolean OR c.service_id = @caller_id)
WHERE m.id = @id;

-- name: GetMessageByClientID :one
-- The message with this client_id, or with this id.
SELECT *
FROM messages
WHERE ticket_id = @ticket_id AND (client_id = @client_id::text OR id = sqlc.narg(id)::uuid) AND NOT is_note
LIMIT 1;

-- name: ListMessagesByTicket :many
-- Includes notes, for staff, and the names of authors, empty when unknown. A customer's name is the one that the
-- service set, if the actor may see it.
SELECT sqlc.embed(m), coalesce(c.display_name, u.display_name, '')::text AS author_name
FROM messages AS m
LEFT JOIN users AS u ON u.id = m.author_id
LEFT JOIN service_customers AS c
    ON c.user_id = m.author_id AND m.author = 'customer' AND (@all_customers::boolean OR c.service_id = @caller_id)
WHERE m.ticket_id = @ticket_id AND (NOT m.is_note OR @staff::boolean)
    AND (m.created_at, m.id) > (@after_created_at::timestamptz, @after_id::uuid)
ORDER BY m.created_at, m.id
LIMIT @max_rows;

-- name: ListMessagesByTicketBackwards :many
-- ListMessagesByTicket, newest first.
SELECT sqlc.embed(m), coalesce(c.display_name, u.display_name, '')::text AS author_name
FROM messages AS m
LEFT JOIN users AS u ON u.id = m.author_id
LEFT JOIN service_customers AS c
    ON c.user_id = m.author_id AND m.author = 'customer' AND (@all_customers::boolean OR c.service_id = @caller_id)
WHERE m.ticket_id = @ticket_id AND (NOT m.is_note OR @staff::boolean)
    AND (m.created_at, m.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY m.created_at DESC, m.id DESC
LIMIT @max_rows;

-- name: ListStandingMessages :many
-- Newest first, without notes, and without answers that were replaced or are being replaced.
SELECT m.*
FROM messages AS m
WHERE m.ticket_id = @ticket_id AND NOT m.is_note AND m.superseded_by IS NULL
    AND NOT EXISTS (
        SELECT
        FROM ai_responses AS standing
        JOIN ai_responses AS next
            ON next.ticket_id = standing.ticket_id AND next.status = 'streaming' AND next.customer_id IS NOT NULL
            AND next.turn_message_id IS NOT DISTINCT FROM standing.turn_message_id
        WHERE standing.message_id = m.id
    )
ORDER BY m.created_at DESC
LIMIT @max_rows;

-- name: ListConversation :many
-- A turn, preceded by at most max_earlier messages, the newest. Leaves out notes, redacted messages, replaced answers,
-- and answers to this turn. Includes answers to earlier turns that were completed after this turn. Each part reads an
-- index backwards and stops, so that a long ticket costs no more than a short one.
WITH turn AS (
    SELECT t.created_at
    FROM messages AS t
    WHERE t.id = @turn_message_id AND t.ticket_id = @ticket_id
),
earlier AS (
    SELECT m.id, m.created_at
    FROM messages AS m
    WHERE m.ticket_id = @ticket_id AND NOT m.is_note AND m.redacted_at IS NULL AND m.superseded_by IS NULL
        AND m.created_at < (SELECT turn.created_at FROM turn)
    ORDER BY m.created_at DESC
    LIMIT @max_earlier
),
late_answers AS (
    SELECT m.id, m.created_at
    FROM messages AS m
    WHERE m.ticket_id = @ticket_id AND m.author = 'ai' AND NOT m.is_note AND m.redacted_at IS NULL
        AND m.superseded_by IS NULL
        AND m.created_at > (SELECT turn.created_at FROM turn)
        AND NOT EXISTS (
            SELECT FROM ai_responses AS r WHERE r.message_id = m.id AND r.turn_message_id = @turn_message_id
        )
    ORDER BY m.created_at DESC
    LIMIT @max_earlier
),
newest AS (
    SELECT candidates.id
    FROM (
        SELECT earlier.id, earlier.created_at FROM earlier
        UNION ALL
        SELECT late_answers.id, late_answers.created_at FROM late_answers
    ) AS candidates
    ORDER BY candidates.created_at DESC
    LIMIT @max_earlier
)
SELECT m.*
FROM messages AS m
WHERE m.id = ANY(ARRAY(SELECT newest.id FROM newest) || @turn_message_id::uuid)
ORDER BY m.id = @turn_message_id, m.created_at;

-- name: ListTranscript :many
-- Newest first, with or without notes.
SELECT *
FROM messages
WHERE ticket_id = @ticket_id AND superseded_by IS NULL AND (NOT is_note OR @notes::boolean)
ORDER BY created_at DESC
LIMIT @max_rows;

-- name: PutMessageFeedback :one
-- Creates or changes the customer's rating of an answer, unless it is the same already. No row: the message is not an answer in
-- a ticket of the actor.
WITH answer AS (
    SELECT
        m.id, m.ticket_id, t.user_id,
        coalesce(f.rating = @rating::feedback_rating AND f.comment IS NOT DISTINCT FROM sqlc.narg(comment), false) AS rated
    FROM messages AS m
    JOIN tickets AS t ON t.id = m.ticket_id
    LEFT JOIN message_feedback AS f ON f.message_id = m.id
    WHERE m.id = @message_id AND m.author = 'ai' AND t.user_id = @actor_id
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id, data)
    SELECT
        'feedback.given', 'customer', answer.user_id, answer.ticket_id, answer.id, answer.user_id,
        jsonb_build_object('rating', @rating::feedback_rating)
    FROM answer
    WHERE NOT answer.rated
)
INSERT INTO message_feedback AS f (message_id, user_id, rating, comment)
SELECT answer.id, answer.user_id, @rating::feedback_rating, sqlc.narg(comment)
FROM answer
ON CONFLICT ON CONSTRAINT message_feedback_pkey DO UPDATE
    SET rating = excluded.rating, comment = excluded.comment, updated_at = CASE
        WHEN f.rating = excluded.rating AND f.comment IS NOT DISTINCT FROM excluded.comment THEN f.updated_at
        ELSE clock_timestamp()
    END
RETURNING *;

-- name: FindMessageFeedback :one
SELECT f.*
FROM message_feedback AS f
JOIN messages AS m ON m.id = f.message_id
JOIN tickets AS t ON t.id = m.ticket_id
WHERE f.message_id = @message_id AND (t.user_id = @actor_id OR @staff::boolean);
