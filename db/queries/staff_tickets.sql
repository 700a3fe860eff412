-- name: ListStaffTickets :many
-- A page of all tickets, with the customers that the caller may see. It follows one walk, chosen by the caller, and
-- reads at most max_walked tickets, however few of them match. If it stops at that limit, it returns the last ticket
-- even if that does not match: the next page continues there.
WITH walked AS (
    SELECT w.id, w.number
    FROM unnest(walk_tickets(
        @filter::text, @of_value::text, @found::uuid[], @sort::text, @after_at::timestamptz, @after_id::uuid,
        @after_priority::ticket_priority, @created_from::timestamptz, @waiting_to::timestamptz, @max_walked::integer
    )) WITH ORDINALITY AS w (id, number)
)
SELECT sqlc.embed(t), c.service_id, c.external_id, c.display_name, walked.number::integer AS number, fits.fits
FROM walked
JOIN tickets AS t ON t.id = walked.id
LEFT JOIN service_customers AS c ON c.user_id = t.user_id AND (@all_customers::boolean OR c.service_id = @caller_id)
CROSS JOIN LATERAL (
    SELECT (
        (@any_status::boolean OR t.status::text = ANY(@statuses::text[]))
        AND (sqlc.narg('with_priority')::ticket_priority IS NULL OR t.priority = sqlc.narg('with_priority')::ticket_priority)
        AND (@any_assignee::boolean OR t.assignee_id IS NOT DISTINCT FROM sqlc.narg('with_assignee')::uuid)
        AND (@any_team::boolean OR t.team_id IS NOT DISTINCT FROM sqlc.narg('with_team')::uuid)
        AND (sqlc.narg('with_tag')::text IS NULL OR sqlc.narg('with_tag')::text = ANY(t.tags))
        AND (sqlc.narg('with_requester')::uuid IS NULL OR t.user_id = sqlc.narg('with_requester')::uuid)
        AND (sqlc.narg('with_external_id')::text IS NULL OR t.external_id = sqlc.narg('with_external_id')::text)
        AND (sqlc.narg('with_ai_mode')::ai_mode IS NULL OR t.ai_mode = sqlc.narg('with_ai_mode')::ai_mode)
        AND (sqlc.narg('snoozed')::boolean IS NULL OR (t.snoozed_until IS NOT NULL) = sqlc.narg('snoozed')::boolean)
        AND CASE @ai_state::text
            WHEN 'answering' THEN EXISTS (
                SELECT FROM ai_responses AS r WHERE r.ticket_id = t.id AND r.status = 'streaming' AND r.kind = 'answer'
            )
            WHEN 'needs_review' THEN EXISTS (
                SELECT FROM ai_responses AS r WHERE r.ticket_id = t.id AND r.status = 'completed' AND r.review = 'pending'
            )
            WHEN 'handed_off' THEN t.handoff_reason IS NOT NULL
            ELSE true
        END
        AND t.created_at >= @created_from::timestamptz AND t.created_at < @created_to::timestamptz
        AND t.updated_at >= @updated_from::timestamptz AND t.updated_at < @updated_to::timestamptz
        AND (
            @any_waiting::boolean
            OR (t.waiting_since >= @waiting_from::timestamptz AND t.waiting_since < @waiting_to::timestamptz) IS TRUE
        )
    )::boolean AS fits
) AS fits
WHERE fits.fits OR walked.number = @max_walked::integer
ORDER BY walked.number
LIMIT @max_rows;

-- name: CountStaffTickets :one
-- The numbers of unresolved tickets, each up to max_counted. Snoozed tickets count only as snoozed. The ORDER BY makes
-- each count use its index: without it, the planner may read old tickets in search of the few unresolved ones.
SELECT
    (SELECT count(*) FROM (
        SELECT FROM tickets
        WHERE status IN ('open', 'pending') AND assignee_id = @assignee_id::uuid AND snoozed_until IS NULL
        ORDER BY priority, created_at, id
        LIMIT @max_counted
    ) AS counted)::integer AS mine,
    (SELECT count(*) FROM (
        SELECT FROM tickets
        WHERE status IN ('open', 'pending') AND assignee_id IS NULL AND snoozed_until IS NULL
        ORDER BY created_at DESC, id DESC
        LIMIT @max_counted
    ) AS counted)::integer AS unassigned,
    (SELECT count(*) FROM (
        SELECT FROM ai_responses WHERE status = 'streaming' AND kind = 'answer' ORDER BY ticket_id LIMIT @max_counted
    ) AS counted)::integer AS answering,
    (SELECT count(*) FROM (
        SELECT FROM ai_responses WHERE status = 'completed' AND review = 'pending' ORDER BY ticket_id LIMIT @max_counted
    ) AS counted)::integer AS needs_review,
    (SELECT count(*) FROM (
        SELECT FROM tickets WHERE snoozed_until IS NOT NULL ORDER BY snoozed_until, id LIMIT @max_counted
    ) AS counted)::integer AS snoozed,
    (SELECT count(*) FROM (
        SELECT FROM tickets
        WHERE status IN ('open', 'pending') AND snoozed_until IS NULL
        ORDER BY created_at DESC, id DESC
        LIMIT @max_counted
    ) AS counted)::integer AS unresolved;
