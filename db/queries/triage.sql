-- name: ListDueTriages :many
-- New tickets that are to be sorted, the oldest first: those that the AI is still to be asked about, and those of which it has said
-- what it will. response_status is how the AI response ended; none was asked for without one.
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
-- Zero rows: the AI was asked before, or the ticket is no longer to be sorted.
UPDATE due_triages
SET ai_response_id = @ai_response_id::uuid
WHERE ticket_id = @ticket_id AND ai_response_id IS NULL;

-- name: TakeTriage :execrows
-- Zero rows: somebody has sorted the ticket. Its row must be locked.
DELETE FROM due_triages
WHERE ticket_id = @ticket_id;
