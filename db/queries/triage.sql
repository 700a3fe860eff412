-- name: ListDueTriages :many
-- Tickets to triage, oldest first: those without a triage so far, and those whose triage has ended with
-- response_status.
SELECT d.ticket_id, d.ai_response_id, r.status AS response_status
FROM due_triages AS d
LEFT JOIN ai_responses AS r ON r.id = d.ai_response_id
WHERE r.status IS DISTINCT FROM 'streaming'
ORDER BY d.created_at, d.ticket_id
LIMIT @max_rows;

-- name: CountRunningTriages :one
SELECT count(*)
FROM due_triages AS d
JOIN ai_responses AS r ON r.id = d.ai_response_id
WHERE r.status = 'streaming';

-- name: AssignTriage :execrows
-- Zero rows: a triage has been started before, or the ticket is no longer in the queue.
UPDATE due_triages
SET ai_response_id = @ai_response_id::uuid
WHERE ticket_id = @ticket_id AND ai_response_id IS NULL;

-- name: TakeTriage :execrows
-- Zero rows: somebody has triaged the ticket. The ticket's row must be locked.
DELETE FROM due_triages
WHERE ticket_id = @ticket_id;
