-- name: CreateJournalEntry :exec
-- For changes whose statement does not add the entry itself, in a CTE. Run it in the transaction of the change.
INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id, data)
VALUES (@type, @actor_kind, sqlc.narg(actor_id), sqlc.narg(ticket_id), sqlc.narg(subject_id), sqlc.narg(customer_id), @data);

-- name: SequenceJournal :one
-- Moves committed entries from the outbox to the journal. Returns their number and the new head, or NULL when another session
-- is doing so.
SELECT journal_sequence(@max_rows, @notify)::bigint[] AS moved_and_head;

-- name: TrimJournal :one
-- Drops the oldest partition if all its entries are older than kept_seconds, and returns the number of dropped
-- partitions.
SELECT journal_trim(make_interval(secs => @kept_seconds::double precision))::integer AS dropped;

-- name: GetJournalState :one
-- The newest and the oldest position, the number of entries in the outbox (up to a limit), and the age of the oldest of
-- them.
SELECT
    h.position AS head,
    coalesce((SELECT min(p.first_position) FROM journal_partitions AS p), 1)::bigint AS oldest,
    (SELECT count(*) FROM (SELECT FROM journal_outbox LIMIT 100000) AS o)::bigint AS waiting,
    coalesce(extract(epoch FROM clock_timestamp() - (
        SELECT o.occurred_at FROM journal_outbox AS o ORDER BY o.id LIMIT 1
    )), 0)::double precision AS lag_seconds
FROM journal_head AS h;

-- name: GetJournalHead :one
SELECT position
FROM journal_head;

-- name: GetJournalOldest :one
-- The oldest position; in an empty journal, the position of the first entry to come.
SELECT coalesce(min(p.first_position), 1)::bigint AS oldest
FROM journal_partitions AS p;

-- name: ListJournal :many
SELECT j.*
FROM journal_entries AS j
WHERE j.position > @after
ORDER BY j.position
LIMIT @max_rows;

-- name: FindJournal :many
-- Entries in a range of positions. Staff see all of them, except that only administrators see those about accounts and
-- keys. A service sees what its customers see.
SELECT j.*
FROM journal_entries AS j
WHERE j.position > @after AND j.position <= @until
    AND (sqlc.narg(types)::text[] IS NULL OR j.type = ANY(sqlc.narg(types)::text[]))
    AND CASE
        WHEN @staff::boolean THEN @admin::boolean OR j.type NOT LIKE 'user.%' AND j.type NOT LIKE 'api_key.%'
        ELSE j.customer_id = @actor_id::uuid OR EXISTS (
            SELECT FROM service_customers AS c WHERE c.user_id = j.customer_id AND c.service_id = @actor_id::uuid
        )
    END
ORDER BY j.position
LIMIT @max_rows;

-- name: FindCustomerJournal :many
-- The entries that a customer sees.
SELECT j.*
FROM journal_entries AS j
WHERE j.customer_id = @actor_id::uuid AND j.position > @after AND j.position <= @until
    AND (sqlc.narg(types)::text[] IS NULL OR j.type = ANY(sqlc.narg(types)::text[]))
ORDER BY j.position
LIMIT @max_rows;

-- name: FindTicketJournal :many
-- The entries of one ticket that the actor sees. The actor is staff, a customer, or a service for its customers.
SELECT j.*
FROM journal_entries AS j
WHERE j.ticket_id = @ticket_id::uuid AND j.position > @after AND j.position <= @until
    AND (sqlc.narg(types)::text[] IS NULL OR j.type = ANY(sqlc.narg(types)::text[]))
    AND (@staff::boolean OR j.customer_id = @actor_id::uuid OR @for_customers::boolean AND EXISTS (
        SELECT FROM service_customers AS c WHERE c.user_id = j.customer_id AND c.service_id = @actor_id::uuid
    ))
ORDER BY j.position
LIMIT @max_rows;
