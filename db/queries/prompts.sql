-- name: LockPrompts :exec
-- Until the transaction ends, no other transaction can create, publish or withdraw a prompt. The number distinguishes
-- this lock from others.
SELECT pg_advisory_xact_lock(1886547053);

-- name: CreatePrompt :one
-- Creates a draft with the next version. The caller holds LockPrompts, so that the version is unique.
INSERT INTO prompts (id, version, company, product, tone, language, rules, instructions)
SELECT
    @id, (coalesce(max(p.version), 0) + 1)::integer, @company, @product, @tone, @language, @rules::text[], @instructions
FROM prompts AS p
RETURNING *;

-- name: ListPrompts :many
SELECT sqlc.embed(p), (l.prompt_id IS NOT NULL)::boolean AS live
FROM prompts AS p
LEFT JOIN live_prompt AS l ON l.prompt_id = p.id
WHERE (p.created_at, p.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY p.created_at DESC, p.id DESC
LIMIT @max_rows;

-- name: GetPrompt :one
SELECT sqlc.embed(p), (l.prompt_id IS NOT NULL)::boolean AS live
FROM prompts AS p
LEFT JOIN live_prompt AS l ON l.prompt_id = p.id
WHERE p.id = @id;

-- name: GetPromptByVersion :one
SELECT *
FROM prompts
WHERE version = @version;

-- name: LockPrompt :one
SELECT sqlc.embed(p), (l.prompt_id IS NOT NULL)::boolean AS live
FROM prompts AS p
LEFT JOIN live_prompt AS l ON l.prompt_id = p.id
WHERE p.id = @id
FOR UPDATE OF p;

-- name: UpdatePrompt :one
-- The prompt must be a draft, and its row locked.
UPDATE prompts
SET company = @company, product = @product, tone = @tone, language = @language, rules = @rules::text[],
    instructions = @instructions, revision = revision + 1, updated_at = clock_timestamp()
WHERE id = @id
RETURNING *;

-- name: PublishPrompt :one
-- Makes a prompt the live one. The caller holds LockPrompts.
WITH before AS (
    SELECT p.version
    FROM live_prompt AS l
    JOIN prompts AS p ON p.id = l.prompt_id
),
live AS (
    INSERT INTO live_prompt (prompt_id)
    VALUES (@id)
    ON CONFLICT (only_one) DO UPDATE SET prompt_id = excluded.prompt_id
),
entry AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id, data)
    SELECT
        'prompt.published', @actor_kind::actor_kind, @actor::uuid, p.id,
        jsonb_build_object('from', (SELECT before.version FROM before), 'to', p.version)
    FROM prompts AS p
    WHERE p.id = @id
)
UPDATE prompts AS published
SET published_at = coalesce(published.published_at, clock_timestamp())
WHERE published.id = @id
RETURNING published.*;

-- name: WithdrawPrompt :exec
-- Withdraws the live prompt, so that the AI uses the built-in one. The caller holds LockPrompts.
WITH withdrawn AS (
    DELETE FROM live_prompt AS l
    WHERE l.prompt_id = @id
    RETURNING l.prompt_id
)
INSERT INTO journal_outbox (type, actor_kind, actor_id, subject_id, data)
SELECT
    'prompt.published', @actor_kind::actor_kind, @actor::uuid, p.id, jsonb_build_object('from', p.version, 'to', NULL)
FROM withdrawn
JOIN prompts AS p ON p.id = withdrawn.prompt_id;
