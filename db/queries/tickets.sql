-- name: CreateTicket :one
-- With triage, the ticket is queued for the AI to triage. No row: the account that the ticket counts for has used up
-- its budget for the day.
WITH spent AS (
    INSERT INTO daily_usage AS u (user_id, day, tickets, messages, bytes)
    SELECT sqlc.narg('counts_for')::uuid, (now() AT TIME ZONE 'UTC')::date, 1, 0, @bytes::bigint
    WHERE sqlc.narg('counts_for')::uuid IS NOT NULL AND @bytes <= @max_bytes::bigint
    ON CONFLICT (user_id, day) DO UPDATE
    SET tickets = u.tickets + 1, bytes = u.bytes + excluded.bytes
    WHERE u.tickets < @max_tickets AND u.bytes + excluded.bytes <= @max_bytes
    RETURNING u.user_id
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, customer_id)
    SELECT 'ticket.created', @actor_kind, @user_id, @id, @user_id
    WHERE sqlc.narg('counts_for')::uuid IS NULL OR EXISTS (SELECT FROM spent)
),
due AS (
    INSERT INTO due_triages (ticket_id)
    SELECT @id
    WHERE @triage::boolean AND (sqlc.narg('counts_for')::uuid IS NULL OR EXISTS (SELECT FROM spent))
)
INSERT INTO tickets (id, user_id, service_id, external_id, title, description, ai_mode, priority, tags, custom_fields)
SELECT
    @id, @user_id, sqlc.narg(service_id), sqlc.narg(external_id), @title, @description, @ai_mode, @priority, @tags::text[],
    @custom_fields
WHERE sqlc.narg('counts_for')::uuid IS NULL OR EXISTS (SELECT FROM spent)
RETURNING *;

-- name: LockExternalID :exec
-- Until the transaction ends, no other transaction can open a ticket with this external id. The number distinguishes
-- these locks from others.
SELECT pg_advisory_xact_lock(1702392942, hashtext(coalesce(sqlc.narg('service_id')::uuid::text, '') || ' ' || @external_id::text));

-- name: GetTicketByExternalID :one
-- The ticket of a service, or one that no service opened.
SELECT *
FROM tickets
WHERE service_id IS NOT DISTINCT FROM sqlc.narg('service_id')::uuid AND external_id = @external_id::text;

-- name: GetTicket :one
SELECT *
FROM tickets
WHERE id = @id;

-- name: FindTicket :one
-- Returns only what the actor sees.
SELECT *
FROM tickets
WHERE id = @id AND (user_id = @actor_id OR @staff::boolean);

-- name: FindTicketWithMessages :one
-- A ticket that the actor sees, with its service customer if the actor may see them, and the newest messages, newest
-- first, for staff with notes. One statement, so that all of it is consistent. Each column of the messages is an array,
-- in which the nil UUID, the year 1 and the empty name stand for NULL.
SELECT
    sqlc.embed(t), c.service_id, c.external_id, c.display_name,
    latest.ids::uuid[] AS ids, latest.authors::text[] AS authors, latest.author_ids::uuid[] AS author_ids,
    latest.contents::text[] AS contents, latest.created_ats::timestamptz[] AS created_ats,
    latest.are_notes::boolean[] AS are_notes, latest.redacted_ats::timestamptz[] AS redacted_ats, latest.superseded_bys::uuid[] AS superseded_bys,
    latest.author_names::text[] AS author_names
FROM tickets AS t
CROSS JOIN LATERAL (
    SELECT
        coalesce(array_agg(m.id), '{}') AS ids,
        coalesce(array_agg(m.author::text), '{}') AS authors,
        coalesce(array_agg(coalesce(m.author_id, '00000000-0000-0000-0000-000000000000')), '{}') AS author_ids,
        coalesce(array_agg(m.content), '{}') AS contents,
        coalesce(array_agg(m.created_at), '{}') AS created_ats,
        coalesce(array_agg(m.is_note), '{}') AS are_notes,
        coalesce(array_agg(coalesce(m.redacted_at, '0001-01-01T00:00:00Z')), '{}') AS redacted_ats,
        coalesce(array_agg(coalesce(m.superseded_by, '00000000-0000-0000-0000-000000000000')), '{}') AS superseded_bys,
        coalesce(array_agg(coalesce(m.author_name, '')), '{}') AS author_names
    FROM (
        SELECT n.*, u.display_name AS author_name
        FROM messages AS n
        LEFT JOIN users AS u ON u.id = n.author_id
        WHERE n.ticket_id = t.id AND (NOT n.is_note OR @staff::boolean)
        ORDER BY n.created_at DESC -- No two messages of a ticket have the same time.
        LIMIT @max_rows
    ) AS m
) AS latest
LEFT JOIN service_customers AS c ON c.user_id = t.user_id AND (@all_customers::boolean OR c.service_id = @actor_id)
WHERE t.id = @id AND (t.user_id = @actor_id OR @staff::boolean);

-- name: LockTicket :one
-- A ticket that the actor sees. Every change of a ticket's conversation or status takes this lock first.
SELECT *
FROM tickets
WHERE id = @id AND (user_id = @actor_id OR @staff::boolean)
FOR NO KEY UPDATE;

-- name: LockTicketAhead :exec
-- Takes the same lock as LockTicket, for statements that read the ticket themselves. Each connection plans the statements
-- of the rest of the transaction once, instead of for each of the first five values: they look rows up by id, and to plan
-- one takes several milliseconds.
SELECT set_config('plan_cache_mode', 'force_generic_plan', true)
FROM tickets
WHERE id = @id AND (user_id = @actor_id OR @staff::boolean)
FOR NO KEY UPDATE;

-- name: ListTicketsByUser :many
-- The columns of a customer's tickets that the customer sees. All columns would cost half as much again, here and in
-- PostgreSQL.
SELECT
    id, user_id, title, description, status, created_at, updated_at, ai_mode, last_message_at, first_response_at, resolved_at,
    merged_into, handoff_reason, handed_off_at, redacted_at
FROM tickets
WHERE user_id = @user_id AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: ListTickets :many
-- All tickets, with the customers that the caller may see.
SELECT sqlc.embed(t), c.service_id, c.external_id, c.display_name
FROM tickets AS t
LEFT JOIN service_customers AS c ON c.user_id = t.user_id AND (@all_customers::boolean OR c.service_id = @service_id)
WHERE (t.created_at, t.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY t.created_at DESC, t.id DESC
LIMIT @max_rows;

-- name: UpdateTicket :one
-- Returns the ticket with its customer, if the caller may see the customer. The ticket's row must be locked. Records a
-- change of status, and adds the given entries to the journal in order; customers see the entries that are shown. Without
-- entries, the change sets what is there, and the version stays. With triaged, removes the ticket from the queue of
-- triages. waiting_since is cleared when the ticket is resolved, and set with waits. Otherwise, a ticket that is reopened
-- continues the wait that no reply by staff has ended.
WITH before AS (
    SELECT b.id, b.user_id, b.status, c.service_id, c.external_id, c.display_name, clock_timestamp() AS changed_at
    FROM tickets AS b
    LEFT JOIN service_customers AS c ON c.user_id = b.user_id AND (@all_customers::boolean OR c.service_id = sqlc.narg(caller_id)::uuid)
    WHERE b.id = @id
),
recorded AS (
    INSERT INTO ticket_status_changes (id, ticket_id, actor_id, from_status, to_status)
    SELECT @change_id, before.id, sqlc.narg(caller_id)::uuid, before.status, @status
    FROM before
    WHERE before.status <> @status
),
triaged AS (
    DELETE FROM due_triages AS d
    USING before
    WHERE d.ticket_id = before.id AND @triaged::boolean
),
entries AS (
    SELECT
        unnest(@entry_types::text[]) AS type,
        unnest(@entries_shown::boolean[]) AS shown,
        unnest(@entry_data::text[]) AS data,
        generate_series(1, cardinality(@entry_types::text[])) AS number
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, customer_id, data)
    SELECT entries.type, @actor_kind, sqlc.narg(caller_id)::uuid, before.id, CASE WHEN entries.shown THEN before.user_id END, entries.data::jsonb
    FROM before, entries
    ORDER BY entries.number
)
UPDATE tickets AS t
SET status = @status, ai_mode = @ai_mode, ai_mode_before = sqlc.narg(ai_mode_before),
    handoff_reason = sqlc.narg(handoff_reason)::handoff_reason, handoff_note = sqlc.narg(handoff_note), handed_off_by = sqlc.narg(handed_off_by),
    handed_off_at = CASE WHEN sqlc.narg(handoff_reason)::handoff_reason IS NULL THEN NULL ELSE coalesce(t.handed_off_at, before.changed_at) END,
    priority = @priority, assignee_id = sqlc.narg(assignee_id),
    team_id = sqlc.narg(team_id), tags = @tags, custom_fields = @custom_fields, external_id = sqlc.narg(ticket_external_id),
    snoozed_until = sqlc.narg(snoozed_until),
    resolved_at = CASE WHEN @status IN ('resolved', 'closed') THEN coalesce(t.resolved_at, before.changed_at) END,
    waiting_since = CASE
        WHEN @status IN ('resolved', 'closed') THEN NULL
        WHEN @waits::boolean THEN coalesce(t.waiting_since, before.changed_at)
        WHEN before.status IN ('resolved', 'closed') THEN unanswered_since(t)
        ELSE t.waiting_since
    END,
    updated_at = CASE WHEN EXISTS (SELECT FROM entries) THEN before.changed_at ELSE t.updated_at END,
    version = t.version + (EXISTS (SELECT FROM entries))::integer
FROM before
WHERE t.id = before.id
RETURNING sqlc.embed(t), before.service_id, before.external_id, before.display_name;

-- name: GetAssignment :one
-- Whether a ticket may be assigned to an account, which must be an enabled staff account, and to a team.
SELECT
    (sqlc.narg('assignee_id')::uuid IS NULL OR EXISTS (
        SELECT FROM users WHERE users.id = sqlc.narg('assignee_id')::uuid AND users.role <> 'user' AND users.disabled_at IS NULL
    ))::boolean AS to_account,
    (sqlc.narg('team_id')::uuid IS NULL OR EXISTS (
        SELECT FROM teams WHERE teams.id = sqlc.narg('team_id')::uuid AND teams.deleted_at IS NULL
    ))::boolean AS to_team;

-- name: RecordChange :execrows
-- Counts a customer's change as a message, with the bytes of its text. Zero rows: the budget for the day is used up.
INSERT INTO daily_usage AS u (user_id, day, tickets, messages, bytes)
SELECT @user_id::uuid, (now() AT TIME ZONE 'UTC')::date, 0, 1, @bytes::bigint
WHERE @bytes::bigint <= @max_bytes::bigint
ON CONFLICT (user_id, day) DO UPDATE
SET messages = u.messages + 1, bytes = u.bytes + excluded.bytes
WHERE u.messages < @max_messages::integer AND u.bytes + excluded.bytes <= @max_bytes::bigint;

-- name: DeleteOldUsage :execrows
-- Deletes all old days of an account with one of the first max_rows.
DELETE FROM daily_usage
WHERE day < (now() AT TIME ZONE 'UTC')::date - 1 AND user_id = ANY (ARRAY(
    SELECT u.user_id
    FROM daily_usage AS u
    WHERE u.day < (now() AT TIME ZONE 'UTC')::date - 1
    ORDER BY u.day
    LIMIT @max_rows OFFSET @skip_rows
    FOR UPDATE SKIP LOCKED
));
