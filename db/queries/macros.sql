-- name: CreateMacro :one
-- No row when the name is taken, rather than an error: PostgreSQL logs the values of a violated constraint.
WITH created AS (
    INSERT INTO macros (id, name, content, is_note, status, priority, add_tags, assignee_id, team_id)
    VALUES (
        @id, @name, @content, @is_note, sqlc.narg(status), sqlc.narg(priority), coalesce(@add_tags::text[], '{}'), sqlc.narg(assignee_id),
        sqlc.narg(team_id)
    )
    ON CONFLICT (lower(name)) DO NOTHING
    RETURNING *
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id)
    SELECT 'macro.created', @actor_kind, @actor_id::uuid, created.id
    FROM created
)
SELECT *
FROM created;

-- name: GetMacro :one
SELECT *
FROM macros
WHERE id = @id;

-- name: ListMacros :many
-- Newest first. With a text, only macros that contain it in their name or content, ignoring case.
SELECT *
FROM macros
WHERE (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
    AND (@containing::text = '' OR position(lower(@containing) IN lower(name || E'\n' || content)) > 0)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: LockMacro :one
SELECT *
FROM macros
WHERE id = @id
FOR UPDATE;

-- name: UpdateMacro :one
-- The macro's row must be locked. No row: another macro has the name. A concurrent change to the same name violates the
-- constraint instead.
WITH updated AS (
    UPDATE macros AS m
    SET name = @name, content = @content, is_note = @is_note, status = sqlc.narg(status), priority = sqlc.narg(priority),
        add_tags = coalesce(@add_tags::text[], '{}'), assignee_id = sqlc.narg(assignee_id), team_id = sqlc.narg(team_id),
        updated_at = clock_timestamp(), version = m.version + 1
    WHERE m.id = @id AND NOT EXISTS (
        SELECT FROM macros AS other WHERE lower(other.name) = lower(@name) AND other.id <> m.id
    )
    RETURNING m.*
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id)
    SELECT 'macro.updated', @actor_kind, @actor_id::uuid, updated.id
    FROM updated
)
SELECT *
FROM updated;

-- name: DeleteMacro :execrows
WITH deleted AS (
    DELETE FROM macros AS m
    WHERE m.id = @id
    RETURNING m.id
)
INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id)
SELECT 'macro.deleted', @actor_kind, @actor_id::uuid, deleted.id
FROM deleted;

-- name: FindMacroForTicket :one
-- A macro, and the values of its placeholders in a ticket that staff see. customer_name is the name that messages show,
-- or empty.
SELECT sqlc.embed(m), t.id AS ticket_id, t.title, coalesce(c.display_name, u.display_name, '')::text AS customer_name
FROM macros AS m
JOIN tickets AS t ON t.id = @ticket_id AND @staff::boolean
JOIN users AS u ON u.id = t.user_id
LEFT JOIN service_customers AS c ON c.user_id = t.user_id AND (@all_customers::boolean OR c.service_id = @actor_id)
WHERE m.id = @id;
