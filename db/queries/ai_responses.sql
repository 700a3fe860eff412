-- name: FindTurn :one
-- A ticket that the actor sees, and its turn: the customer's newest message that is not redacted, or the nil UUID for the
-- description.
SELECT sqlc.embed(t), coalesce(turn.id, '00000000-0000-0000-0000-000000000000')::uuid AS turn_message_id
FROM tickets AS t
LEFT JOIN LATERAL (
    SELECT m.id
    FROM messages AS m
    WHERE m.ticket_id = t.id AND m.author = 'customer' AND NOT m.is_note AND m.redacted_at IS NULL
    ORDER BY m.created_at DESC
    LIMIT 1
) AS turn ON true
WHERE t.id = @id AND (t.user_id = @actor_id OR @staff::boolean);

-- name: ClaimTurn :one
-- Finds the answer to the turn of a ticket that the actor sees, or creates it with its first owner. The caller holds the
-- ticket's lock, so that only one of all callers creates it, and LockAIBudget, so that the counts stay correct.
--
-- The turn is FindTurn's. running is the answer that is being written in the ticket, for any turn. standing is the
-- completed answer to this turn. draft is the newest draft for this turn that waits for review or was discarded.
-- found_id is the answer to read: the running one, a draft, or the standing one, which customers keep until a draft
-- replaces it. Staff can have a discarded draft written again; customers cannot replace a draft. waiting means that it
-- answers an earlier turn, and must end before the answer to this one can begin. Missing ids are nil UUIDs.
--
-- If the actor has just added a message (after_message), only the customer's message is a turn.
--
-- refusal is an error code: why nobody may answer this turn, or the failure of its newest answer while the upstream must
-- not be asked again. failure_seconds is how long that lasts: until the pause ends, or the wait that the upstream asked
-- for if that is longer.
--
-- If nothing was found or refused, it creates the answer, unless this server may not write it (may_write) or the actor
-- has used up the budget. created_at and lease_expires_at are null unless it creates a row.
-- prompt_version is the live prompt's; NULL is the built-in prompt.
--
-- The commit of a read does not wait for the disk: if the database crashes at this moment, the answer is gone, and its
-- readers ask again.
WITH turn AS (
    SELECT
        t.id AS ticket_id,
        t.user_id,
        t.ai_mode,
        turn.id AS message_id,
        live.version AS prompt_version,
        failure.seconds AS failure_seconds,
        running.id AS running_id,
        running.turn_message_id IS NOT DISTINCT FROM turn.id AS running_answers_turn,
        CASE
            WHEN @after_message::boolean AND t.user_id <> @actor_id THEN NULL
            WHEN running.id IS NOT NULL AND running.turn_message_id IS NOT DISTINCT FROM turn.id THEN running.id
            WHEN standing.id IS NOT NULL AND NOT @staff::boolean AND NOT @regenerate::boolean THEN standing.id
            WHEN draft.id IS NOT NULL AND (NOT @staff OR @reading::boolean OR (draft.review = 'pending' AND NOT @regenerate)) THEN draft.id
            WHEN standing.id IS NOT NULL AND NOT @regenerate THEN standing.id
            ELSE running.id
        END AS found_id,
        CASE
            WHEN @after_message AND t.user_id <> @actor_id THEN 'nothing_to_answer'
            WHEN @reading AND failure.error_code IS NOT NULL AND t.ai_mode = 'draft' AND NOT @staff THEN 'ai_in_review'
            WHEN @reading AND failure.error_code IS NOT NULL THEN failure.error_code
            WHEN t.status = 'closed' THEN 'ticket_closed'
            WHEN coalesce(staff.created_at > turn.created_at, staff.created_at IS NOT NULL) THEN 'nothing_to_answer'
            WHEN t.handoff_reason IS NOT NULL THEN 'handed_off'
            WHEN t.ai_mode = 'off' THEN 'ai_disabled'
        END AS refusal
    FROM tickets AS t
    LEFT JOIN LATERAL (
        SELECT m.id, m.created_at
        FROM messages AS m
        WHERE m.ticket_id = t.id AND m.author = 'customer' AND NOT m.is_note AND m.redacted_at IS NULL
        ORDER BY m.created_at DESC
        LIMIT 1
    ) AS turn ON true
    LEFT JOIN LATERAL (
        SELECT m.created_at
        FROM messages AS m
        WHERE m.ticket_id = t.id AND m.author = 'agent' AND NOT m.is_note
        ORDER BY m.created_at DESC
        LIMIT 1
    ) AS staff ON true
    LEFT JOIN ai_responses AS running ON running.ticket_id = t.id AND running.status = 'streaming' AND running.kind = 'answer'
    LEFT JOIN LATERAL (
        SELECT r.id
        FROM ai_responses AS r
        WHERE r.turn_message_id = turn.id AND r.status = 'completed' AND r.message_id IS NOT NULL
        UNION ALL
        SELECT r.id
        FROM ai_responses AS r
        WHERE turn.id IS NULL AND r.ticket_id = t.id AND r.turn_message_id IS NULL AND r.status = 'completed'
            AND r.message_id IS NOT NULL
    ) AS standing ON true
    LEFT JOIN LATERAL (
        SELECT r.id, r.review
        FROM ai_responses AS r
        WHERE t.ai_mode = 'draft' AND r.ticket_id = t.id AND r.status = 'completed' AND r.review IN ('pending', 'discarded')
            AND r.turn_message_id IS NOT DISTINCT FROM turn.id
        ORDER BY r.created_at DESC, r.id DESC
        LIMIT 1
    ) AS draft ON true
    LEFT JOIN LATERAL (
        SELECT
            latest.error_code,
            extract(epoch FROM latest.finished_at + pause.length - statement_timestamp()) AS seconds
        FROM (
            SELECT r.id, r.last_seq, r.turn_message_id, r.status, r.error_code, r.finished_at
            FROM ai_responses AS r
            WHERE r.ticket_id = t.id AND r.kind = 'answer'
            ORDER BY r.created_at DESC, r.id DESC
            LIMIT 1
        ) AS latest
        CROSS JOIN LATERAL (
            SELECT make_interval(secs => greatest(@pause_seconds::integer, max(e.retry_after_seconds))) AS length
            FROM ai_response_events AS e
            WHERE e.ai_response_id = latest.id AND e.seq = latest.last_seq
        ) AS pause
        WHERE latest.status = 'failed' AND latest.turn_message_id IS NOT DISTINCT FROM turn.id
            AND latest.finished_at + pause.length > statement_timestamp()
    ) AS failure ON true
    LEFT JOIN prompts AS live ON live.id = (SELECT l.prompt_id FROM live_prompt AS l WHERE l.only_one)
    CROSS JOIN (
        SELECT set_config('synchronous_commit', CASE WHEN @reading THEN 'off' ELSE current_setting('synchronous_commit') END, true) AS setting
    ) AS async
    WHERE t.id = @ticket_id AND (t.user_id = @actor_id OR @staff) AND async.setting <> ''
),
created AS (
    INSERT INTO ai_responses (
        id, ticket_id, turn_message_id, model, requested_by, owner_id, lease_expires_at, customer_id, review, prompt_version
    )
    SELECT
        @id, turn.ticket_id, turn.message_id, @model, @actor_id, @owner_id::uuid,
        clock_timestamp() + make_interval(secs => @lease_seconds::integer),
        CASE WHEN turn.ai_mode <> 'draft' THEN turn.user_id END,
        CASE WHEN turn.ai_mode = 'draft' THEN 'pending'::ai_review END,
        turn.prompt_version
    FROM turn
    WHERE CASE WHEN turn.found_id IS NULL AND turn.refusal IS NULL AND @may_write::boolean THEN (
        SELECT
            (@max_running::integer = 0 OR count(*) FILTER (WHERE r.status = 'streaming') < @max_running)
            AND (
                @max_per_minute::integer = 0
                OR count(*) FILTER (WHERE r.created_at > statement_timestamp() - interval '1 minute') < @max_per_minute
            )
            AND (@max_per_day::integer = 0 OR count(*) < @max_per_day)
        FROM ai_responses AS r
        WHERE r.requested_by = @actor_id AND r.created_at > statement_timestamp() - interval '1 day'
            AND greatest(@max_running, @max_per_minute, @max_per_day) > 0
    ) END
    RETURNING id, ticket_id, customer_id, kind, model, created_at, lease_expires_at
),
noted AS (
    INSERT INTO journal_outbox (type, actor_kind, ticket_id, subject_id, customer_id, data)
    SELECT
        'ai_response.started', 'ai', created.ticket_id, created.id, created.customer_id,
        jsonb_build_object('kind', created.kind, 'model', created.model)
    FROM created
)
SELECT
    sqlc.embed(t),
    coalesce(turn.message_id, '00000000-0000-0000-0000-000000000000')::uuid AS turn_message_id,
    coalesce(turn.found_id, '00000000-0000-0000-0000-000000000000')::uuid AS found_id,
    coalesce(turn.found_id = turn.running_id AND NOT turn.running_answers_turn, false)::boolean AS waiting,
    coalesce(turn.refusal, '')::text AS refusal,
    coalesce(turn.failure_seconds, 0)::double precision AS failure_seconds,
    turn.prompt_version,
    created.created_at,
    created.lease_expires_at
FROM turn
CROSS JOIN tickets AS t
LEFT JOIN created ON true
WHERE t.id = @ticket_id;

-- name: FindStaffRequest :one
-- A ticket that the actor sees, and what staff requested from the AI there. running is the response of this kind that
-- is being written. standing is the newest completed one about the current state of the ticket, including its notes.
-- Missing ids are nil UUIDs. prompt_version is the live prompt's; NULL is the built-in prompt.
SELECT
    sqlc.embed(t),
    coalesce(running.id, '00000000-0000-0000-0000-000000000000')::uuid AS running_id,
    coalesce(standing.id, '00000000-0000-0000-0000-000000000000')::uuid AS standing_id,
    live.version AS prompt_version
FROM tickets AS t
LEFT JOIN ai_responses AS running ON running.ticket_id = t.id AND running.status = 'streaming' AND running.kind = @kind
LEFT JOIN LATERAL (
    SELECT r.id
    FROM ai_responses AS r
    WHERE r.ticket_id = t.id AND r.kind = @kind AND r.status = 'completed' AND r.ticket_version = t.version + t.note_version
    ORDER BY r.created_at DESC, r.id DESC
    LIMIT 1
) AS standing ON true
LEFT JOIN prompts AS live ON live.id = (SELECT l.prompt_id FROM live_prompt AS l WHERE l.only_one)
WHERE t.id = @id AND (t.user_id = @actor_id OR @staff::boolean);

-- name: CreateAIResponse :one
-- Creates the response to a staff request. No row: the user has used up the budget. A limit of 0 means none. The caller
-- holds LockAIBudget, so that the counts stay correct.
WITH allowed AS (
    SELECT
    FROM (
        SELECT
            count(*) FILTER (WHERE r.status = 'streaming') AS running,
            count(*) FILTER (WHERE r.created_at > statement_timestamp() - interval '1 minute') AS last_minute,
            count(*) AS last_day
        FROM ai_responses AS r
        WHERE r.requested_by = sqlc.narg(requested_by)::uuid AND r.created_at > statement_timestamp() - interval '1 day'
            AND greatest(@max_running::integer, @max_per_minute::integer, @max_per_day::integer) > 0
    ) AS recent
    WHERE (@max_running = 0 OR recent.running < @max_running)
        AND (@max_per_minute = 0 OR recent.last_minute < @max_per_minute)
        AND (@max_per_day = 0 OR recent.last_day < @max_per_day)
),
noted AS (
    INSERT INTO journal_outbox (type, actor_kind, ticket_id, subject_id, data)
    SELECT
        'ai_response.started', 'ai', @ticket_id, @id,
        jsonb_strip_nulls(jsonb_build_object(
            'kind', @kind::ai_response_kind, 'model', @model::text, 'requested_by', sqlc.narg(requested_by)::uuid
        ))
    FROM allowed
)
INSERT INTO ai_responses (
    id, ticket_id, model, requested_by, owner_id, lease_expires_at, kind, prompt_version, ticket_version
)
SELECT
    @id, @ticket_id, @model, sqlc.narg(requested_by)::uuid, @owner_id::uuid,
    clock_timestamp() + make_interval(secs => @lease_seconds::integer), @kind, sqlc.narg(prompt_version),
    @ticket_version::bigint
FROM allowed
RETURNING *;

-- name: FindAIResponse :one
-- Returns only what the actor sees.
SELECT *
FROM ai_responses
WHERE id = @id AND (customer_id = @actor_id::uuid OR @staff::boolean);

-- name: ListAIResponsesByTicket :many
-- For staff all of them, otherwise those that the ticket's customer sees.
SELECT *
FROM ai_responses
WHERE ticket_id = @ticket_id AND (customer_id IS NOT NULL OR @staff::boolean)
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: FindStreamingAIResponse :one
-- The answer that is being written in a ticket that the actor sees, or the nil UUID.
SELECT coalesce(r.id, '00000000-0000-0000-0000-000000000000')::uuid AS id
FROM tickets AS t
LEFT JOIN ai_responses AS r
    ON r.ticket_id = t.id AND r.status = 'streaming' AND r.kind = 'answer' AND (r.customer_id IS NOT NULL OR @staff::boolean)
WHERE t.id = @ticket_id AND (t.user_id = @actor_id OR @staff::boolean);

-- name: GetAIResponse :one
SELECT *
FROM ai_responses
WHERE id = @id;

-- name: CommitDeltas :many
-- The group commit: appends the next delta to many responses, and renews their leases. A response that is not returned
-- no longer belongs to the writer, or its log does not end where the writer expects. Like every statement for many
-- responses, it locks the rows in the order of their ids, so that concurrent statements do not deadlock. It checks the
-- locked rows rather than the table: with the conditions on the table, the planner would search for each row among all
-- running responses. A crash of the database may lose the last moments, so the commit does not wait for the disk.
WITH batch AS (
    SELECT
        unnest(@ids::uuid[]) AS id,
        unnest(@attempts::integer[]) AS attempt,
        unnest(@seqs::bigint[]) AS seq,
        unnest(@contents::text[]) AS content
),
locked AS (
    SELECT a.id, a.owner_id, a.status, a.last_seq, a.attempt, batch.attempt AS own_attempt, batch.seq, batch.content
    FROM batch
    JOIN ai_responses AS a ON a.id = batch.id
    ORDER BY a.id
    FOR NO KEY UPDATE OF a
),
fenced AS (
    UPDATE ai_responses AS r
    SET last_seq = locked.seq,
        first_token_at = coalesce(r.first_token_at, clock_timestamp()),
        lease_expires_at = clock_timestamp() + make_interval(secs => @lease_seconds::integer)
    FROM locked, (SELECT set_config('synchronous_commit', 'off', true) AS setting) AS async
    WHERE r.id = locked.id AND locked.owner_id = @owner_id::uuid AND locked.attempt = locked.own_attempt
        AND locked.status = 'streaming' AND locked.last_seq = locked.seq - 1 AND async.setting <> ''
    RETURNING r.id AS id, locked.attempt AS attempt, locked.seq AS seq, locked.content AS content
)
INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
SELECT fenced.id, fenced.seq, 'delta', fenced.attempt, fenced.content
FROM fenced
RETURNING ai_response_id;

-- name: RestoreAIResponseEvents :execrows
-- Restores deltas that readers received and that a crash of the database then lost. The log ends at log_seq. Zero rows:
-- the response is not this writer's, or the deltas are already restored.
WITH fenced AS (
    UPDATE ai_responses AS r
    SET last_seq = @last_seq::bigint
    WHERE r.id = @id AND r.owner_id = @owner_id::uuid AND r.attempt = @attempt AND r.status = 'streaming'
        AND r.last_seq = @log_seq::bigint
    RETURNING r.id AS id, r.attempt AS attempt
)
INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
SELECT fenced.id, lost.seq, 'delta', fenced.attempt, lost.content
FROM fenced, (SELECT unnest(@seqs::bigint[]) AS seq, unnest(@contents::text[]) AS content) AS lost;

-- name: RenewAIResponseLeases :many
-- A response that is not returned no longer belongs to the writer. Locks and checks rows as CommitDeltas does.
WITH mine AS (
    SELECT unnest(@ids::uuid[]) AS id, unnest(@attempts::integer[]) AS attempt
),
locked AS (
    SELECT a.id, a.owner_id, a.status, a.attempt, mine.attempt AS own_attempt
    FROM mine
    JOIN ai_responses AS a ON a.id = mine.id
    ORDER BY a.id
    FOR NO KEY UPDATE OF a
)
UPDATE ai_responses AS r
SET lease_expires_at = clock_timestamp() + make_interval(secs => @lease_seconds::integer)
FROM locked
WHERE r.id = locked.id AND locked.attempt = locked.own_attempt AND locked.owner_id = @owner_id::uuid AND locked.status = 'streaming'
RETURNING r.id;

-- name: ListOwnedAIResponses :many
-- The running responses of a writer, with their attempts.
SELECT r.id, r.attempt
FROM ai_responses AS r
WHERE r.owner_id = @owner_id::uuid AND r.status = 'streaming';

-- name: CountStalledAIResponses :one
-- Returns 1 if a running response may need to be taken over or failed, and 0 otherwise.
SELECT count(*)::integer
FROM (
    SELECT
    FROM ai_responses AS r
    WHERE r.status = 'streaming'
        AND r.lease_expires_at < statement_timestamp() + make_interval(secs => @unknown_lease_seconds::integer)
    LIMIT 1
) AS stalled;

-- name: TakeOverAIResponse :one
-- Takes over one response without a writer: its lease has expired, or it belongs to the caller, which does not know of
-- it because the reply to its claim was lost. The response starts over with a reset. Only the loss of an owner counts
-- as a crash: a response that was handed over has no owner, and may be handed over any number of times.
WITH taken AS (
    UPDATE ai_responses AS r
    SET owner_id = @owner_id::uuid, attempt = r.attempt + 1, last_seq = r.last_seq + 1, first_token_at = NULL,
        crashes = r.crashes
            + (r.owner_id IS NOT NULL AND r.lease_expires_at < statement_timestamp())::integer,
        lease_expires_at = clock_timestamp() + make_interval(secs => @lease_seconds::integer)
    WHERE r.id = (
        SELECT a.id
        FROM ai_responses AS a
        WHERE a.status = 'streaming'
            AND (
                a.lease_expires_at < statement_timestamp()
                OR (
                    a.owner_id = @owner_id::uuid AND NOT a.id = ANY(@known::uuid[])
                    AND a.lease_expires_at < statement_timestamp() + make_interval(secs => @unknown_lease_seconds::integer)
                )
            )
            AND (
                a.crashes + 1 < @max_attempts::integer OR a.lease_expires_at >= statement_timestamp()
                OR a.owner_id IS NULL
            )
        ORDER BY a.lease_expires_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING r.id AS id, r.last_seq AS last_seq, r.attempt AS attempt
)
INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
SELECT taken.id, taken.last_seq, 'reset', taken.attempt, ''
FROM taken
RETURNING ai_response_id;

-- name: FailAbandonedAIResponses :execrows
-- Fails the responses that have crashed too often, or that nobody has taken over for too long.
WITH ended AS (
    UPDATE ai_responses AS r
    SET status = 'failed', error_code = @error_code::text, last_seq = r.last_seq + 1, finished_at = clock_timestamp()
    WHERE r.id = ANY (ARRAY(
        SELECT a.id
        FROM ai_responses AS a
        WHERE a.status = 'streaming' AND a.lease_expires_at < statement_timestamp()
            AND (
                (a.crashes + 1 >= @max_attempts::integer AND a.owner_id IS NOT NULL)
                OR a.lease_expires_at < statement_timestamp() - make_interval(secs => @abandoned_seconds::integer)
            )
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING r.id AS id, r.last_seq AS last_seq, r.attempt AS attempt, r.ticket_id AS ticket_id, r.customer_id AS customer_id, r.kind AS kind
),
noted AS (
    INSERT INTO journal_outbox (type, actor_kind, ticket_id, subject_id, customer_id, data)
    SELECT 'ai_response.failed', 'ai', ended.ticket_id, ended.id, ended.customer_id, jsonb_build_object('kind', ended.kind, 'code', @error_code::text)
    FROM ended
)
INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
SELECT ended.id, ended.last_seq, 'failed', ended.attempt, @error_code::text
FROM ended;

-- name: CompleteAIResponse :one
-- Stores an answer as a message, supersedes the previous answer to the turn, and ends the response and its log. The
-- ticket's row must be locked. finished_at is also the message's created_at. PostgreSQL checks row by row that a turn
-- has only one current answer, so the previous one is superseded first. The message has the response's id, so readers
-- know its id from the first event on. No row: the response no longer belongs to this attempt, or its log does not end
-- at last_seq.
WITH mine AS (
    SELECT
        r.id, r.ticket_id, r.turn_message_id, r.customer_id, r.attempt, r.last_seq + 1 AS seq,
        GREATEST(
            clock_timestamp(),
            (SELECT max(m.created_at) + interval '1 microsecond' FROM messages AS m WHERE m.ticket_id = r.ticket_id)
        ) AS written_at
    FROM ai_responses AS r
    WHERE r.id = @id AND r.owner_id = @owner_id::uuid AND r.attempt = @attempt AND r.last_seq = @last_seq
        AND r.status = 'streaming'
    FOR NO KEY UPDATE OF r
),
written AS (
    INSERT INTO messages (id, ticket_id, author, content, created_at)
    SELECT mine.id, mine.ticket_id, 'ai', @content, mine.written_at
    FROM mine
),
raised AS (
    UPDATE tickets
    SET
        version = version + 1,
        first_response_at = coalesce(tickets.first_response_at, mine.written_at),
        updated_at = mine.written_at,
        last_message_at = mine.written_at
    FROM mine
    WHERE tickets.id = mine.ticket_id
),
replaced AS (
    UPDATE ai_responses AS before
    SET status = 'superseded'
    FROM mine
    WHERE before.id = (
        SELECT r.id
        FROM ai_responses AS r
        WHERE r.turn_message_id = mine.turn_message_id AND r.status = 'completed' AND r.message_id IS NOT NULL
        UNION ALL
        SELECT r.id
        FROM ai_responses AS r
        WHERE mine.turn_message_id IS NULL AND r.ticket_id = mine.ticket_id AND r.turn_message_id IS NULL
            AND r.status = 'completed' AND r.message_id IS NOT NULL
    )
    RETURNING before.message_id AS message_id
),
marked AS (
    UPDATE messages AS m
    SET superseded_by = @id
    FROM replaced
    WHERE m.id = replaced.message_id
),
logged AS (
    INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
    SELECT mine.id, mine.seq, 'done', mine.attempt, ''
    FROM mine
),
noted AS (
    INSERT INTO journal_outbox (type, actor_kind, ticket_id, subject_id, customer_id, data)
    SELECT entry.type, 'ai', mine.ticket_id, mine.id, mine.customer_id, entry.data
    FROM mine, (VALUES
        (1, 'message.created', jsonb_build_object('author', 'ai')),
        (2, 'ai_response.completed', jsonb_build_object('kind', 'answer', 'finish_reason', @finish_reason::text))
    ) AS entry (place, type, data)
    ORDER BY entry.place
)
UPDATE ai_responses AS r
SET status = 'completed', message_id = r.id, finish_reason = @finish_reason::text, last_seq = mine.seq,
    prompt_tokens = @prompt_tokens, completion_tokens = @completion_tokens, reasoning_tokens = @reasoning_tokens,
    cached_tokens = @cached_tokens, finished_at = mine.written_at
FROM mine, (SELECT count(*) AS responses FROM replaced) AS gone
WHERE r.id = mine.id AND gone.responses >= 0
RETURNING r.*;

-- name: CompleteStaffAIResponse :one
-- Completes a response that only staff see, with its text, and ends its log. A draft supersedes the one that waited for
-- review. The ticket's row must be locked. No row: the response no longer belongs to this attempt, or its log does not
-- end at last_seq.
WITH mine AS (
    SELECT r.id, r.ticket_id, r.kind, r.review, r.attempt, r.last_seq + 1 AS seq
    FROM ai_responses AS r
    WHERE r.id = @id AND r.owner_id = @owner_id::uuid AND r.attempt = @attempt AND r.last_seq = @last_seq
        AND r.status = 'streaming'
    FOR NO KEY UPDATE OF r
),
replaced AS (
    UPDATE ai_responses AS before
    SET status = 'superseded'
    FROM mine
    WHERE before.ticket_id = mine.ticket_id AND before.status = 'completed' AND before.review = 'pending'
        AND mine.review IS NOT NULL
    RETURNING before.id AS id, before.ticket_id AS ticket_id
),
logged AS (
    INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
    SELECT mine.id, mine.seq, 'done', mine.attempt, ''
    FROM mine
),
noted AS (
    INSERT INTO journal_outbox (type, actor_kind, ticket_id, subject_id, data)
    SELECT entry.type, 'ai', entry.ticket_id, entry.id, entry.data
    FROM (
        SELECT 1 AS place, 'ai_response.superseded' AS type, replaced.ticket_id, replaced.id,
            jsonb_build_object('kind', 'answer') AS data
        FROM replaced
        UNION ALL
        SELECT 2, CASE WHEN mine.review IS NULL THEN 'ai_response.completed' ELSE 'ai_response.drafted' END,
            mine.ticket_id, mine.id, jsonb_build_object('kind', mine.kind, 'finish_reason', @finish_reason::text)
        FROM mine
    ) AS entry
    ORDER BY entry.place
)
UPDATE ai_responses AS r
SET status = 'completed', content = @content::text, finish_reason = @finish_reason::text, last_seq = mine.seq,
    prompt_tokens = @prompt_tokens, completion_tokens = @completion_tokens, reasoning_tokens = @reasoning_tokens,
    cached_tokens = @cached_tokens, finished_at = clock_timestamp()
FROM mine, (SELECT count(*) AS drafts FROM replaced) AS gone
WHERE r.id = mine.id AND gone.drafts >= 0
RETURNING r.*;

-- name: PublishAIResponse :one
-- Stores a draft that waits for review as a message. Supersedes the previous answer to its turn and any answer that is
-- being written in the ticket. The ticket's row must be locked. No row: the draft does not wait for review, or the
-- ticket is closed.
WITH draft AS (
    SELECT
        r.id, r.ticket_id, r.turn_message_id, t.user_id,
        GREATEST(
            clock_timestamp(),
            (SELECT max(m.created_at) + interval '1 microsecond' FROM messages AS m WHERE m.ticket_id = r.ticket_id)
        ) AS written_at
    FROM ai_responses AS r
    JOIN tickets AS t ON t.id = r.ticket_id
    WHERE r.id = @id AND r.status = 'completed' AND r.review = 'pending' AND t.status <> 'closed'
    FOR NO KEY UPDATE OF r
),
replaced AS (
    UPDATE ai_responses AS before
    SET status = 'superseded'
    FROM draft
    WHERE before.ticket_id = draft.ticket_id AND before.turn_message_id IS NOT DISTINCT FROM draft.turn_message_id
        AND before.status = 'completed' AND before.message_id IS NOT NULL
    RETURNING before.message_id AS message_id
),
marked AS (
    UPDATE messages AS m
    SET superseded_by = @id
    FROM replaced
    WHERE m.id = replaced.message_id
),
published AS (
    UPDATE ai_responses AS r
    SET review = 'published', message_id = r.id, reviewed_by = @actor_id::uuid, reviewed_at = draft.written_at,
        edit_distance = @edit_distance::integer
    FROM draft, (SELECT count(*) AS responses FROM replaced) AS gone
    WHERE r.id = draft.id AND gone.responses >= 0
),
superseded AS (
    UPDATE ai_responses AS r
    SET status = 'superseded', error_code = 'superseded', last_seq = r.last_seq + 1, finished_at = clock_timestamp()
    FROM draft
    WHERE r.ticket_id = draft.ticket_id AND r.status = 'streaming' AND r.kind = 'answer'
    RETURNING r.id AS id, r.last_seq AS last_seq, r.attempt AS attempt
),
logged AS (
    INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
    SELECT superseded.id, superseded.last_seq, 'failed', superseded.attempt, 'superseded'
    FROM superseded
),
raised AS (
    UPDATE tickets
    SET
        version = version + 1,
        first_response_at = coalesce(tickets.first_response_at, draft.written_at),
        waiting_since = NULL,
        updated_at = draft.written_at,
        last_message_at = draft.written_at
    FROM draft
    WHERE tickets.id = draft.ticket_id
),
noted AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id, data)
    SELECT entry.type, @actor_kind, @actor_id::uuid, draft.ticket_id, entry.id, entry.customer_id, entry.data
    FROM draft
    CROSS JOIN LATERAL (
        SELECT 1 AS place, 'ai_response.superseded' AS type, superseded.id, NULL::uuid AS customer_id,
            jsonb_build_object('kind', 'answer') AS data
        FROM superseded
        UNION ALL
        SELECT 2, 'message.created', draft.id, draft.user_id, jsonb_build_object('author', 'ai')
        UNION ALL
        SELECT 3, 'ai_response.published', draft.id, NULL, jsonb_build_object('edit_distance', @edit_distance::integer)
    ) AS entry
    ORDER BY entry.place
)
INSERT INTO messages (id, ticket_id, author, content, created_at)
SELECT draft.id, draft.ticket_id, 'ai', @content::text, draft.written_at
FROM draft
RETURNING *;

-- name: DiscardAIResponse :one
-- No row: the response is not a draft that waits for review.
WITH noted AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, data)
    SELECT 'ai_response.discarded', @actor_kind, @actor_id::uuid, draft.ticket_id, draft.id, '{"kind": "answer"}'
    FROM (
        SELECT r.id, r.ticket_id
        FROM ai_responses AS r
        WHERE r.id = @id AND r.status = 'completed' AND r.review = 'pending'
        FOR NO KEY UPDATE OF r
    ) AS draft
    RETURNING subject_id
)
UPDATE ai_responses AS r
SET review = 'discarded', reviewed_by = @actor_id::uuid, reviewed_at = clock_timestamp()
FROM noted
WHERE r.id = noted.subject_id AND r.status = 'completed' AND r.review = 'pending'
RETURNING r.*;

-- name: FailAIResponse :one
-- Ends a response and its log without a message. No row: the response has ended or belongs to another owner or attempt,
-- or its log does not end at last_seq.
WITH ended AS (
    UPDATE ai_responses AS r
    SET status = 'failed', error_code = @error_code::text, last_seq = r.last_seq + 1, prompt_tokens = @prompt_tokens,
        completion_tokens = @completion_tokens, reasoning_tokens = @reasoning_tokens, cached_tokens = @cached_tokens,
        finished_at = clock_timestamp()
    WHERE r.id = @id AND r.owner_id = @owner_id::uuid AND r.attempt = @attempt AND r.last_seq = @last_seq
        AND r.status = 'streaming'
    RETURNING r.id AS id, r.last_seq AS last_seq, r.attempt AS attempt, r.ticket_id AS ticket_id, r.customer_id AS customer_id, r.kind AS kind
),
noted AS (
    INSERT INTO journal_outbox (type, actor_kind, ticket_id, subject_id, customer_id, data)
    SELECT 'ai_response.failed', 'ai', ended.ticket_id, ended.id, ended.customer_id, jsonb_build_object('kind', ended.kind, 'code', @error_code::text)
    FROM ended
)
INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content, retry_after_seconds)
SELECT ended.id, ended.last_seq, 'failed', ended.attempt, @error_code::text, sqlc.narg(retry_after_seconds)
FROM ended
RETURNING *;

-- name: RecordAIResponseUsage :exec
-- Records the token usage of a response that somebody else has ended. Its writer calls this when it knows the usage.
UPDATE ai_responses
SET prompt_tokens = @prompt_tokens, completion_tokens = @completion_tokens, reasoning_tokens = @reasoning_tokens,
    cached_tokens = @cached_tokens
WHERE id = @id AND owner_id = @owner_id::uuid AND attempt = @attempt AND status <> 'streaming';

-- name: SupersedeAIResponses :execrows
-- Supersedes running answers and a draft that waits for review (answers), or running requests of staff
-- (staff_requests). The ticket's row must be locked.
WITH ended AS (
    UPDATE ai_responses AS r
    SET status = 'superseded',
        error_code = CASE WHEN r.status = 'streaming' THEN 'superseded' END,
        last_seq = r.last_seq + (r.status = 'streaming')::integer,
        finished_at = coalesce(r.finished_at, clock_timestamp())
    WHERE r.ticket_id = @ticket_id AND CASE WHEN r.kind = 'answer' THEN @answers::boolean ELSE @staff_requests::boolean END
        AND (r.status = 'streaming' OR (r.status = 'completed' AND r.review = 'pending'))
    RETURNING
        r.id AS id, r.last_seq AS last_seq, r.attempt AS attempt, r.ticket_id AS ticket_id, r.customer_id AS customer_id,
        r.kind AS kind, r.finish_reason IS NULL AS unfinished
),
noted AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id, data)
    SELECT
        'ai_response.superseded', @actor_kind, sqlc.narg(actor_id)::uuid, ended.ticket_id, ended.id, ended.customer_id,
        jsonb_build_object('kind', ended.kind)
    FROM ended
)
INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
SELECT ended.id, ended.last_seq, 'failed', ended.attempt, 'superseded'
FROM ended
WHERE ended.unfinished;

-- name: ListAIResponseEvents :many
-- The events of many responses, each from a given number on.
WITH wanted AS (
    SELECT unnest(@ids::uuid[]) AS id, unnest(@from_seqs::bigint[]) AS seq
)
SELECT e.ai_response_id, e.seq, e.kind, e.attempt, e.content, e.retry_after_seconds
FROM wanted
JOIN ai_response_events AS e ON e.ai_response_id = wanted.id AND e.seq >= wanted.seq
ORDER BY e.ai_response_id, e.seq
LIMIT @max_rows;

-- name: ListSweepableAIResponses :many
-- Responses that ended before the retention and still have events, oldest first.
SELECT id, finished_at::timestamptz AS finished_at
FROM ai_responses
WHERE has_events AND finished_at < statement_timestamp() - make_interval(secs => @retention_seconds::integer)
    AND (finished_at, id) > (@after_finished_at::timestamptz, @after_id::uuid)
ORDER BY finished_at, id
LIMIT @max_rows;

-- name: SweepAIResponses :exec
-- Deletes the events of ended responses; their messages stay. Skips rows that another replica is sweeping.
WITH due AS (
    SELECT r.id
    FROM ai_responses AS r
    WHERE r.id = ANY(@ids::uuid[]) AND r.finished_at IS NOT NULL
    ORDER BY r.id
    FOR UPDATE SKIP LOCKED
),
swept AS (
    UPDATE ai_responses AS r
    SET has_events = false
    FROM due
    WHERE r.id = due.id
    RETURNING r.id
)
DELETE FROM ai_response_events AS e
USING swept
WHERE e.ai_response_id = swept.id;

-- name: ListExistingAIResponses :many
SELECT *
FROM ai_responses
WHERE id = ANY(@ids::uuid[]);

-- name: ReleaseAIResponseLease :exec
-- Lets another replica take the response over immediately. Without an owner, no pending statement of its writer can
-- renew the lease.
UPDATE ai_responses
SET lease_expires_at = clock_timestamp(), owner_id = NULL
WHERE id = @id AND owner_id = @owner_id::uuid AND attempt = @attempt AND status = 'streaming';

-- name: CancelAIResponse :execrows
-- Zero rows: the response has ended, or the actor does not see it. The writer notices by itself.
WITH ended AS (
    UPDATE ai_responses AS r
    SET status = 'cancelled', error_code = 'cancelled', last_seq = r.last_seq + 1, finished_at = clock_timestamp()
    WHERE r.id = @id AND (r.customer_id = @actor_id::uuid OR @staff::boolean) AND r.status = 'streaming'
    RETURNING r.id AS id, r.last_seq AS last_seq, r.attempt AS attempt, r.ticket_id AS ticket_id, r.customer_id AS customer_id, r.kind AS kind
),
noted AS (
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id, data)
    SELECT 'ai_response.cancelled', @actor_kind, @actor_id::uuid, ended.ticket_id, ended.id, ended.customer_id, jsonb_build_object('kind', ended.kind)
    FROM ended
)
INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
SELECT ended.id, ended.last_seq, 'failed', ended.attempt, 'cancelled'
FROM ended;

-- name: UpdateAIResponseModel :execrows
-- Records that another model writes the response. Zero rows: the response no longer belongs to this attempt.
UPDATE ai_responses
SET model = @model
WHERE id = @id AND owner_id = @owner_id::uuid AND attempt = @attempt AND status = 'streaming';

-- name: LockAIBudget :exec
-- Until the transaction ends, no other response of the user can start, on any replica. The number distinguishes these
-- locks from others.
SELECT pg_advisory_xact_lock(1634300519, hashtext(@user_id::text));

-- name: CountRecentAIResponses :one
-- The responses that count against a user's budget, and in how many seconds the oldest stops counting.
SELECT
    count(*) FILTER (WHERE status = 'streaming')::integer AS running,
    count(*) FILTER (WHERE created_at > statement_timestamp() - interval '1 minute')::integer AS last_minute,
    count(*)::integer AS last_day,
    coalesce(extract(epoch FROM
        min(created_at) FILTER (WHERE created_at > statement_timestamp() - interval '1 minute')
        + interval '1 minute' - statement_timestamp()
    ), 0)::double precision AS minute_ends_in,
    coalesce(extract(epoch FROM min(created_at) + interval '1 day' - statement_timestamp()), 0)::double precision AS day_ends_in
FROM ai_responses
WHERE requested_by = @user_id::uuid AND created_at > statement_timestamp() - interval '1 day';
