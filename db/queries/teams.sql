-- name: CreateTeam :one
WITH created AS (
    INSERT INTO teams (id, name)
    VALUES (@id, @name)
    RETURNING *
),
joined AS (
    INSERT INTO team_members (team_id, user_id)
    SELECT created.id, m.user_id
    FROM created, (SELECT DISTINCT unnest(@member_ids::uuid[]) AS user_id) AS m
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id)
    SELECT 'team.created', @actor_kind, @actor_id::uuid, created.id
    FROM created
)
SELECT *
FROM created;

-- name: LockTeam :one
SELECT *
FROM teams
WHERE id = @id AND deleted_at IS NULL
FOR NO KEY UPDATE;

-- name: UpdateTeam :one
-- The team's row must be locked. Without new_members, the members stay.
WITH changed AS (
    UPDATE teams AS t
    SET name = @name, updated_at = clock_timestamp(), version = t.version + 1
    WHERE t.id = @id
    RETURNING t.*
),
gone AS (
    DELETE FROM team_members AS m
    USING changed
    WHERE @new_members::boolean AND m.team_id = changed.id AND NOT m.user_id = ANY(@member_ids::uuid[])
),
joined AS (
    INSERT INTO team_members (team_id, user_id)
    SELECT changed.id, m.user_id
    FROM changed, (SELECT DISTINCT unnest(@member_ids::uuid[]) AS user_id) AS m
    WHERE @new_members::boolean
    ON CONFLICT DO NOTHING
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id)
    SELECT 'team.updated', @actor_kind, @actor_id::uuid, changed.id
    FROM changed
)
SELECT *
FROM changed;

-- name: GetTeam :one
-- Returns the members in the order of their ids.
SELECT sqlc.embed(t), ARRAY(
    SELECT m.user_id FROM team_members AS m WHERE m.team_id = t.id ORDER BY m.user_id
)::uuid[] AS member_ids
FROM teams AS t
WHERE t.id = @id AND t.deleted_at IS NULL;

-- name: ListTeams :many
SELECT sqlc.embed(t), ARRAY(
    SELECT m.user_id FROM team_members AS m WHERE m.team_id = t.id ORDER BY m.user_id
)::uuid[] AS member_ids
FROM teams AS t
WHERE t.deleted_at IS NULL AND (t.created_at, t.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY t.created_at DESC, t.id DESC
LIMIT @max_rows;

-- name: CountStaff :one
-- How many of the accounts are enabled staff accounts.
SELECT count(*)::integer
FROM users
WHERE id = ANY(@ids::uuid[]) AND role <> 'user' AND disabled_at IS NULL;

-- name: DeleteTeam :execrows
-- Marks the team as deleted. DetachTickets removes it from its tickets. Zero rows: there is no such team.
WITH deleted AS (
    UPDATE teams AS t
    SET deleted_at = clock_timestamp()
    WHERE t.id = @id AND t.deleted_at IS NULL
    RETURNING t.id
)
INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id)
SELECT 'team.deleted', @actor_kind, @actor_id::uuid, deleted.id
FROM deleted;

-- name: DetachTickets :execrows
-- Removes each deleted team from up to max_rows of its tickets. They are looked up in the order of their index: otherwise
-- the planner may read all tickets.
WITH due AS (
    SELECT t.id, t.team_id
    FROM teams AS gone
    CROSS JOIN LATERAL (
        SELECT d.id, d.team_id
        FROM tickets AS d
        WHERE d.team_id = gone.id
        ORDER BY d.created_at DESC, d.id DESC
        LIMIT @max_rows OFFSET @skip_rows
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS t
    WHERE gone.deleted_at IS NOT NULL
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, ticket_id, data)
    SELECT
        'ticket.assigned', 'system', due.id,
        jsonb_build_object('team_id', jsonb_build_object('from', due.team_id, 'to', NULL))
    FROM due
)
UPDATE tickets AS t
SET team_id = NULL, version = t.version + 1, updated_at = clock_timestamp()
FROM due
WHERE t.id = due.id;

-- name: DeleteDetachedTeams :exec
DELETE FROM teams
WHERE deleted_at IS NOT NULL AND NOT EXISTS (SELECT FROM tickets WHERE tickets.team_id = teams.id);

-- name: UnassignTickets :execrows
-- Takes up to max_rows open and pending tickets away from each account that is disabled or no longer staff. The recursive
-- query reads one index entry for each assignee. The accounts are looked up one by one: otherwise the planner, which does
-- not know how few they are, may read those of all customers.
WITH RECURSIVE assignees AS (
    (
        SELECT t.assignee_id
        FROM tickets AS t
        WHERE t.status IN ('open', 'pending') AND t.assignee_id IS NOT NULL
        ORDER BY t.assignee_id
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT t.assignee_id
        FROM tickets AS t
        WHERE t.status IN ('open', 'pending') AND t.assignee_id > a.assignee_id
        ORDER BY t.assignee_id
        LIMIT 1
    )
    FROM assignees AS a
    WHERE a.assignee_id IS NOT NULL
),
due AS (
    SELECT t.id, t.assignee_id
    FROM assignees AS a
    CROSS JOIN LATERAL (
        SELECT u.id
        FROM users AS u
        WHERE u.id = a.assignee_id AND (u.disabled_at IS NOT NULL OR u.role = 'user')
        LIMIT 1
    ) AS gone
    CROSS JOIN LATERAL (
        SELECT d.id, d.assignee_id
        FROM tickets AS d
        WHERE d.assignee_id = gone.id AND d.status IN ('open', 'pending')
        ORDER BY d.priority, d.created_at, d.id
        LIMIT @max_rows OFFSET @skip_rows
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS t
),
entered AS (
    INSERT INTO journal_outbox (type, actor_kind, ticket_id, data)
    SELECT
        'ticket.assigned', 'system', due.id,
        jsonb_build_object('assignee_id', jsonb_build_object('from', due.assignee_id, 'to', NULL))
    FROM due
)
UPDATE tickets AS t
SET assignee_id = NULL, version = t.version + 1, updated_at = clock_timestamp()
FROM due
WHERE t.id = due.id;
