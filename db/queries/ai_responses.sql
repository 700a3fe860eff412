-- name: CreateAIResponse :one
INSERT INTO ai_responses (id, ticket_id, turn_message_id, model, lease_expires_at)
VALUES (@id, @ticket_id, @turn_message_id, @model, now() + make_interval(secs => @lease_seconds::integer))
RETURNING id, ticket_id, turn_message_id, status, attempt, model, last_seq, message_id, finish_reason, error_code,
    prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens, lease_expires_at, created_at, first_token_at,
    finished_at;

-- name: GetAIResponseForTurn :one
-- The one that is being written or was completed. Failed and superseded ones leave the turn open.
SELECT id, ticket_id, turn_message_id, status, attempt, model, last_seq, message_id, finish_reason, error_code,
    prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens, lease_expires_at, created_at, first_token_at,
    finished_at
FROM ai_responses
WHERE ticket_id = @ticket_id
    AND turn_message_id IS NOT DISTINCT FROM sqlc.narg(turn_message_id)::uuid
    AND status IN ('streaming', 'completed');

-- name: GetAIResponseByTicket :one
SELECT r.id, r.ticket_id, r.turn_message_id, r.status, r.attempt, r.model, r.last_seq, r.message_id, r.finish_reason,
    r.error_code, r.prompt_tokens, r.completion_tokens, r.reasoning_tokens, r.cached_tokens, r.lease_expires_at,
    r.created_at, r.first_token_at, r.finished_at
FROM ai_responses AS r
JOIN tickets AS t ON t.id = r.ticket_id
WHERE r.id = @id AND r.ticket_id = @ticket_id AND (t.user_id = @actor_id OR @staff::boolean);

-- name: CompleteAIResponse :one
-- No row: the response is no longer this attempt's to complete.
UPDATE ai_responses
SET status = 'completed', message_id = @message_id::uuid, finish_reason = @finish_reason::text, last_seq = @last_seq,
    prompt_tokens = @prompt_tokens, completion_tokens = @completion_tokens, reasoning_tokens = @reasoning_tokens,
    cached_tokens = @cached_tokens, first_token_at = @first_token_at, finished_at = clock_timestamp()
WHERE id = @id AND attempt = @attempt AND status = 'streaming'
RETURNING id, ticket_id, turn_message_id, status, attempt, model, last_seq, message_id, finish_reason, error_code,
    prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens, lease_expires_at, created_at, first_token_at,
    finished_at;

-- name: FailAIResponse :exec
-- A response that was superseded stays so, and gets what it took all the same.
UPDATE ai_responses
SET status = CASE status WHEN 'streaming' THEN 'failed' ELSE status END,
    error_code = CASE status WHEN 'streaming' THEN @error_code ELSE error_code END,
    finished_at = coalesce(finished_at, clock_timestamp()), last_seq = @last_seq, prompt_tokens = @prompt_tokens,
    completion_tokens = @completion_tokens, reasoning_tokens = @reasoning_tokens, cached_tokens = @cached_tokens,
    first_token_at = @first_token_at
WHERE id = @id AND attempt = @attempt AND status IN ('streaming', 'superseded');

-- name: FailExpiredAIResponses :execrows
-- An answer whose lease has ended has lost its writer.
UPDATE ai_responses
SET status = 'failed', error_code = 'ai_timeout', finished_at = clock_timestamp()
WHERE ticket_id = @ticket_id AND status = 'streaming' AND lease_expires_at < clock_timestamp();

-- name: SupersedeAIResponses :execrows
-- The human fence: whatever is being written in this ticket is not published. The ticket's row must be locked.
UPDATE ai_responses
SET status = 'superseded', error_code = 'superseded', finished_at = clock_timestamp()
WHERE ticket_id = @ticket_id AND status = 'streaming';
