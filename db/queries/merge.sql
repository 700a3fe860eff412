-- name: LockTickets :many
-- Locks two tickets, and those that were merged into the first, in the order of their ids, so that concurrent calls do
-- not deadlock.
SELECT *
FROM tickets
WHERE id IN (@from_id, @into_id) OR merged_into = @from_id
ORDER BY id
FOR NO KEY UPDATE;

-- name: ListTakenTimes :many
-- The messages of a ticket that have the same time as a message of another ticket.
SELECT m.id
FROM messages AS m
JOIN messages AS o ON o.ticket_id = @into_id AND o.created_at = m.created_at
WHERE m.ticket_id = @from_id
ORDER BY m.created_at DESC;

-- name: ShiftMessage :exec
-- Moves a message to the next time at which neither ticket has a message.
UPDATE messages AS m
SET created_at = (
    SELECT free.at
    FROM generate_series(1, 1000) AS step
    CROSS JOIN LATERAL (SELECT m.created_at + step * interval '1 microsecond' AS at) AS free
    WHERE NOT EXISTS (
        SELECT FROM messages AS o WHERE o.ticket_id IN (@from_id, @into_id) AND o.created_at = free.at
    )
    ORDER BY step
    LIMIT 1
)
WHERE m.id = @id;

-- name: MergeTicket :one
-- Moves the conversation of a ticket into another one, with the description as a message, and closes the ticket
-- permanently. Both rows must be locked, and no two messages may have the same time. AI responses move too: one to the
-- description becomes one to the new message. Tickets that were merged into the first are now merged into the other. The
-- other ticket receives the given status, end of its snooze, tags, custom fields and journal entries. Returns that ticket
-- with its customer, if the caller may see the customer.
WITH source AS (
    SELECT
        t.id, t.user_id, t.status, t.description, t.created_at, t.last_message_at, t.first_response_at, t.waiting_since
    FROM tickets AS t
    WHERE t.id = @from_id
),
moved AS (
    UPDATE messages AS m
    SET ticket_id = @into_id::uuid,
        client_id = CASE
            WHEN NOT EXISTS (SELECT FROM messages AS o WHERE o.ticket_id = @into_id::uuid AND o.client_id = m.client_id) THEN m.client_id
        END
    WHERE m.ticket_id = @from_id
    RETURNING m.created_at
),
described AS (
    INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
    SELECT
        @message_id::uuid, @into_id::uuid, 'customer', source.user_id, source.description,
        (
            SELECT free.at
            FROM generate_series(0, 1000) AS step
            CROSS JOIN LATERAL (SELECT source.created_at + step * interval '1 microsecond' AS at) AS free
            WHERE NOT EXISTS (
                SELECT FROM messages AS o WHERE o.ticket_id IN (@from_id, @into_id::uuid) AND o.created_at = free.at
            )
            ORDER BY step
            LIMIT 1
        )
    FROM source
    RETURNING created_at
),
answered AS (
    UPDATE ai_responses AS r
    SET ticket_id = @into_id::uuid, turn_message_id = coalesce(r.turn_message_id, @message_id::uuid)
    WHERE r.ticket_id = @from_id
),
recorded AS (
    INSERT INTO ticket_status_changes (id, ticket_id, actor_id, from_status, to_status)
    SELECT @closing_id, source.id, @caller_id::uuid, source.status, 'closed'
    FROM source
    WHERE source.status <> 'closed'
),
reopened AS (
    INSERT INTO ticket_status_changes (id, ticket_id, actor_id, from_status, to_status)
    SELECT @reopening_id, o.id, @caller_id::uuid, o.status, @status
    FROM tickets AS o
    WHERE o.id = @into_id::uuid AND o.status <> @status
),
followed AS (
    UPDATE tickets AS t
    SET merged_into = @into_id::uuid, updated_at = clock_timestamp(), version = t.version + 1
    WHERE t.merged_into = @from_id
    RETURNING t.id
),
changes AS (
    SELECT
        unnest(@entry_types::text[]) AS type,
        unnest(@entries_shown::boolean[]) AS shown,
        unnest(@entry_data::text[]) AS data,
        generate_series(1, cardinality(@entry_types::text[])) AS number
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id, data)
    SELECT
        entry.type, @actor_kind, @caller_id::uuid, entry.ticket_id, entry.subject_id,
        CASE WHEN entry.shown THEN source.user_id END, entry.data
    FROM source
    CROSS JOIN LATERAL (
        VALUES
            (
                1, true, true, 'ticket.merged', @into_id::uuid, source.id,
                jsonb_build_object('from', source.id, 'into', @into_id::uuid)
            ),
            (2, true, true, 'message.created', @into_id::uuid, @message_id::uuid, jsonb_build_object('author', 'customer')),
            (
                3, true, true, 'ticket.merged', source.id, @into_id::uuid,
                jsonb_build_object('from', source.id, 'into', @into_id::uuid)
            ),
            (
                4, source.status <> 'closed', true, 'ticket.status_changed', source.id, NULL::uuid,
                jsonb_build_object('from', source.status, 'to', 'closed')
            )
        UNION ALL
        SELECT
            4, true, true, 'ticket.merged', followed.id, @into_id::uuid,
            jsonb_build_object('from', followed.id, 'into', @into_id::uuid)
        FROM followed
        UNION ALL
        SELECT 4 + changes.number, true, changes.shown, changes.type, @into_id::uuid, NULL::uuid, changes.data::jsonb
        FROM changes
    ) AS entry (place, happened, shown, type, ticket_id, subject_id, data)
    WHERE entry.happened
    ORDER BY entry.place
),
closed AS (
    UPDATE tickets AS t
    SET status = 'closed', merged_into = @into_id::uuid, resolved_at = coalesce(t.resolved_at, clock_timestamp()),
        waiting_since = NULL, snoozed_until = NULL, updated_at = clock_timestamp(), version = t.version + 1
    WHERE t.id = @from_id
)
UPDATE tickets AS t
SET
    status = @status, snoozed_until = sqlc.narg(snoozed_until), resolved_at = CASE WHEN @status IN ('resolved', 'closed') THEN t.resolved_at END,
    tags = @tags::text[], custom_fields = @custom_fields, last_message_at = greatest(t.last_message_at, source.last_message_at, described.created_at),
    first_response_at = least(t.first_response_at, source.first_response_at),
    waiting_since = CASE WHEN @status IN ('open', 'pending') THEN least(t.waiting_since, source.waiting_since) END,
    updated_at = clock_timestamp(), version = t.version + 1
FROM
    source, described, (SELECT count(*) AS messages FROM moved) AS moves,
    (
        SELECT b.id, c.service_id, c.external_id, c.display_name
        FROM tickets AS b
        LEFT JOIN service_customers AS c ON c.user_id = b.user_id AND (@all_customers::boolean OR c.service_id = @caller_id::uuid)
        WHERE b.id = @into_id::uuid
    ) AS target
WHERE t.id = target.id AND moves.messages >= 0
RETURNING sqlc.embed(t), target.service_id, target.external_id, target.display_name;

-- name: WakeTickets :execrows
-- Wakes tickets whose snooze has ended.
WITH due AS (
    SELECT t.id, t.snoozed_until
    FROM tickets AS t
    WHERE t.snoozed_until <= statement_timestamp()
    ORDER BY t.snoozed_until, t.id
    LIMIT @max_rows OFFSET @skip_rows
    FOR NO KEY UPDATE SKIP LOCKED
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, ticket_id, data)
    SELECT 'ticket.snoozed', 'system', due.id, jsonb_build_object(
        'from', to_char(due.snoozed_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'to', NULL
    )
    FROM due
)
UPDATE tickets AS t
SET snoozed_until = NULL, updated_at = clock_timestamp(), version = t.version + 1
FROM due
WHERE t.id = due.id;
