-- name: FindSearchResults :many
-- The tickets and messages that match and that the actor sees, best first. A match that is e times as good counts as
-- much as one that is 30 days newer. In title and text, the characters 1 and 2, which no text contains, enclose each matching
-- word.
WITH hits AS MATERIALIZED (
    SELECT r.id, r.score_at, r.language, r.query
    FROM (
        SELECT s.id, s.language, s.query, s.created_at + interval '30 days' * ln(s.rank + 1e-9) AS score_at
        FROM search_matches(@query::text, CASE WHEN @staff::boolean THEN NULL ELSE @actor_id::uuid END, @max_candidates)
            AS s (id, created_at, rank, language, query)
    ) AS r
    WHERE r.score_at IS NOT NULL AND (r.score_at, r.id) < (@before_score_at::timestamptz, @before_id::uuid)
    ORDER BY r.score_at DESC, r.id DESC
    LIMIT @max_rows
)
SELECT
    h.id::uuid AS id, h.score_at::timestamptz AS score_at, t.id AS ticket_id, m.id AS message_id,
    coalesce(m.is_note, false)::boolean AS is_note, t.user_id, t.status,
    coalesce(m.created_at, t.created_at)::timestamptz AS created_at,
    ts_headline(h.language, t.title, h.query, E'HighlightAll=true, StartSel=\x01, StopSel=\x02')::text AS title,
    ts_headline(
        h.language, left(coalesce(m.content, t.description), 10000), h.query,
        E'HighlightAll=true, StartSel=\x01, StopSel=\x02'
    )::text AS text
FROM hits AS h
LEFT JOIN messages AS m ON m.id = h.id
JOIN tickets AS t ON t.id = coalesce(m.ticket_id, h.id)
WHERE @staff::boolean OR (t.user_id = @actor_id AND m.is_note IS NOT TRUE)
ORDER BY h.score_at DESC, h.id DESC;

-- name: ListTicketsByText :many
-- The tickets in which a text matches, including their notes.
SELECT DISTINCT coalesce(m.ticket_id, s.id)::uuid AS id
FROM search_matches(@query::text, NULL, @max_candidates) AS s (id, created_at, rank, language, query)
LEFT JOIN messages AS m ON m.id = s.id
WHERE s.rank IS NOT NULL;

-- name: IndexQueued :one
-- Indexes the texts that have waited longest, and returns how many it took.
SELECT index_queued(@max_rows, @skip_rows);

-- name: GetSearchLanguage :one
-- The language, or 'simple' if the database does not have it.
SELECT coalesce(max(c.cfgname), 'simple')::text
FROM pg_catalog.pg_ts_config AS c
WHERE c.cfgname = @language::text AND pg_ts_config_is_visible(c.oid);

-- name: SetSearchLanguage :execrows
-- Changes the language, which the database must have, and schedules all documents to be indexed again. Zero rows: the
-- language is already set.
UPDATE search_index
SET language = @language, rebuilt_to = 0, rebuild_until = (SELECT coalesce(max(d.number), 0) FROM search_documents AS d)
WHERE language <> @language;

-- name: RebuildSearchIndex :one
-- Reindexes the next documents after a change of the language, and reports whether there are more. No row: nothing is
-- left to do, or another replica is doing it.
WITH locked AS (
    SELECT s.id, s.language, s.rebuilt_to
    FROM search_index AS s
    WHERE s.rebuilt_to < s.rebuild_until
    FOR UPDATE SKIP LOCKED
),
rebuilt AS (
    UPDATE search_documents AS d
    SET words = CASE WHEN m.id IS NULL
        THEN setweight(to_tsvector(locked.language::regconfig, t.title), 'A')
            || to_tsvector(locked.language::regconfig, t.description)
        ELSE to_tsvector(locked.language::regconfig, m.content)
    END
    FROM locked, search_documents AS e
    LEFT JOIN messages AS m ON m.id = e.id
    JOIN tickets AS t ON t.id = coalesce(m.ticket_id, e.id)
    WHERE d.id = e.id AND e.number > locked.rebuilt_to AND e.number <= locked.rebuilt_to + @max_rows::bigint
)
UPDATE search_index AS s
SET rebuilt_to = s.rebuilt_to + @max_rows
FROM locked
WHERE s.id = locked.id
RETURNING (s.rebuilt_to < s.rebuild_until)::boolean AS more;
