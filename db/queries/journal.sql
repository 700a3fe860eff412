-- name: CreateJournalEntry :exec
-- Statements that write the change itself add its entry as a CTE; this one serves the rest, in their transaction.
INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id, data)
VALUES (@type, @actor_kind, sqlc.narg(actor_id), sqlc.narg(ticket_id), sqlc.narg(subject_id), sqlc.narg(customer_id), @data);

-- name: SequenceJournal :one
-- Moves committed entries from the outbox to the journal: how many, and the head after them. NULL: somebody else does it.
SELECT journal_sequence(@max_rows, @notify)::bigint[] AS moved_and_head;

-- name: TrimJournal :one
-- Drops the oldest partition if all of it is older: how many were dropped.
SELECT journal_trim(make_interval(secs => @kept_seconds::double precision))::integer AS dropped;

-- name: GetJournalState :one
-- The newest position, the oldest that is kept, how many entries wait in the outbox (counted to a bound) and for how long.
SELECT
    h.position AS head,
    coalesce((SELECT min(p.first_position) FROM journal_partitions AS p), 1)::bigint AS oldest,
    (SELECT count(*) FROM (SELECT FROM journal_outbox LIMIT 100000) AS o)::bigint AS waiting,
    coalesce(extract(epoch FROM clock_timestamp() - (
        SELECT o.occurred_at FROM journal_outbox AS o ORDER BY o.id LIMIT 1
    )), 0)::double precision AS lag_seconds
FROM journal_head AS h;

-- name: ListJournal :many
-- What comes after a position, with what people wrote where an entry is about that: it is as it is now, not as it was.
SELECT sqlc.embed(j), m.content, t.title, t.description
FROM journal AS j
LEFT JOIN ai_responses AS r ON r.id = j.subject_id AND j.type = 'ai_response.completed'
LEFT JOIN messages AS m
    ON m.id = CASE j.type WHEN 'message.created' THEN j.subject_id WHEN 'ai_response.completed' THEN r.message_id END
LEFT JOIN tickets AS t ON t.id = j.ticket_id AND j.type = 'ticket.created'
WHERE j.position > @after
ORDER BY j.position
LIMIT @max_rows;
