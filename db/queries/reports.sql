-- name: GetToday :one
-- The current day (UTC) by the database's clock.
SELECT date_trunc('day', now(), 'UTC')::timestamptz AS today;

-- name: ListReportGroups :many
-- What happened between begins and ends: the total, and per day (UTC), or per current team or assignee of the ticket.
-- The group without a team or assignee has an empty name. Each kind of fact is read through an index on its time.
-- Unresolved tickets are counted as they are now, and belong to no day. A percentile of no values is -1.
WITH facts AS (
    SELECT 'created' AS what, t.created_at AS at, t.team_id, t.assignee_id, 0::double precision AS seconds, 0::bigint AS tokens
    FROM tickets AS t
    WHERE t.created_at >= @begins::timestamptz AND t.created_at < @ends::timestamptz
    UNION ALL
    SELECT 'responded', t.first_response_at, t.team_id, t.assignee_id, extract(epoch FROM t.first_response_at - t.created_at), 0
    FROM tickets AS t
    WHERE t.first_response_at >= @begins AND t.first_response_at < @ends
    UNION ALL
    SELECT 'resolved', t.resolved_at, t.team_id, t.assignee_id, extract(epoch FROM t.resolved_at - t.created_at), 0
    FROM tickets AS t
    WHERE t.resolved_at >= @begins AND t.resolved_at < @ends
    UNION ALL
    SELECT 'unresolved', NULL, t.team_id, t.assignee_id, 0, 0
    FROM tickets AS t
    WHERE t.status IN ('open', 'pending')
    UNION ALL
    SELECT
        CASE
            WHEN r.kind <> 'answer' THEN 'request'
            WHEN r.review = 'published' AND r.edit_distance = 0 THEN 'published_unchanged'
            WHEN r.review = 'published' THEN 'published_edited'
            WHEN r.review = 'discarded' THEN 'discarded'
            WHEN r.review = 'pending' AND r.finish_reason IS NOT NULL THEN 'drafted'
            WHEN r.finish_reason IS NOT NULL THEN 'answered'
            ELSE 'unanswered'
        END,
        r.created_at, t.team_id, t.assignee_id, 0, r.prompt_tokens + r.completion_tokens
    FROM ai_responses AS r
    JOIN tickets AS t ON t.id = r.ticket_id
    WHERE r.created_at >= @begins AND r.created_at < @ends
    UNION ALL
    SELECT 'rated_' || f.rating, f.created_at, t.team_id, t.assignee_id, 0, 0
    FROM message_feedback AS f
    JOIN messages AS m ON m.id = f.message_id
    JOIN tickets AS t ON t.id = m.ticket_id
    WHERE f.created_at >= @begins AND f.created_at < @ends
    UNION ALL
    SELECT 'handed_off', j.occurred_at, t.team_id, t.assignee_id, 0, 0
    FROM journal AS j
    JOIN tickets AS t ON t.id = j.ticket_id
    WHERE j.occurred_at >= @begins AND j.occurred_at < @ends AND j.type = 'ticket.handed_off'
),
grouped AS (
    SELECT
        f.what, f.seconds, f.tokens,
        CASE @group_by::text
            WHEN 'day' THEN to_char(f.at AT TIME ZONE 'UTC', 'YYYY-MM-DD')
            WHEN 'team' THEN f.team_id::text
            ELSE f.assignee_id::text
        END AS name
    FROM facts AS f
)
SELECT
    (grouping(g.name) = 1)::boolean AS is_total,
    coalesce(g.name, '')::text AS name,
    count(*) FILTER (WHERE g.what = 'created') AS created,
    count(*) FILTER (WHERE g.what = 'resolved') AS resolved,
    count(*) FILTER (WHERE g.what = 'unresolved') AS unresolved,
    count(*) FILTER (WHERE g.what = 'responded') AS responded,
    coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY g.seconds) FILTER (WHERE g.what = 'responded'), -1)::bigint AS response_p50,
    coalesce(percentile_cont(0.9) WITHIN GROUP (ORDER BY g.seconds) FILTER (WHERE g.what = 'responded'), -1)::bigint AS response_p90,
    coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY g.seconds) FILTER (WHERE g.what = 'resolved'), -1)::bigint AS resolution_p50,
    coalesce(percentile_cont(0.9) WITHIN GROUP (ORDER BY g.seconds) FILTER (WHERE g.what = 'resolved'), -1)::bigint AS resolution_p90,
    count(*) FILTER (WHERE g.what = 'answered') AS answered,
    count(*) FILTER (WHERE g.what IN ('drafted', 'published_unchanged', 'published_edited', 'discarded')) AS drafted,
    count(*) FILTER (WHERE g.what = 'published_unchanged') AS published_unchanged,
    count(*) FILTER (WHERE g.what = 'published_edited') AS published_edited,
    count(*) FILTER (WHERE g.what = 'discarded') AS discarded,
    count(*) FILTER (WHERE g.what = 'handed_off') AS handed_off,
    count(*) FILTER (WHERE g.what = 'rated_up') AS rated_up,
    count(*) FILTER (WHERE g.what = 'rated_down') AS rated_down,
    coalesce(sum(g.tokens), 0)::bigint AS tokens
FROM grouped AS g
GROUP BY GROUPING SETS ((g.name), ())
HAVING grouping(g.name) = 1 OR g.name IS NOT NULL OR @group_by::text <> 'day'
ORDER BY grouping(g.name) DESC, g.name NULLS LAST
LIMIT @max_rows;
