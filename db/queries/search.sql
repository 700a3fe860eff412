-- name: FindSearchResults :many
-- The tickets and messages that match and that the actor sees, best first. A match that is e times as good counts as
-- much as one that is 30 days newer. Considers at most the newest max_candidates matches. A query without a required
-- word matches nothing. In title and text, the characters 1 and 2, which no text contains, enclose each matching word.
WITH query AS MATERIALIZED (
    SELECT s.language, asked.query AS exact, search_words(asked.query) AS loose
    FROM search_index AS s
    CROSS JOIN LATERAL (SELECT websearch_to_tsquery(s.language::regconfig, @query::text) AS query) AS asked
    WHERE querytree(asked.query) NOT IN ('', 'T')
),
candidates AS MATERIALIZED (
    SELECT found.id, found.created_at, found.words
    FROM query
    CROSS JOIN search_blocks() AS block
    CROSS JOIN LATERAL (
        SELECT d.id, d.created_at, d.words
        FROM search_documents AS d
        WHERE d.words @@ query.loose
            AND search_keys(d.number, d.customer_id)
                @> CASE WHEN @staff::boolean THEN ARRAY[block] ELSE ARRAY[block, (@actor_id::uuid)::text] END
        ORDER BY d.number DESC
        LIMIT @max_candidates
    ) AS found
    LIMIT @max_candidates
),
ranked AS (
    SELECT c.id, c.created_at + interval '30 days' * ln(ts_rank(c.words, query.exact) + 1e-9) AS score_at
    FROM candidates AS c
    CROSS JOIN query
    WHERE c.words @@ query.exact
),
hits AS MATERIALIZED (
    SELECT r.id, r.score_at
    FROM ranked AS r
    WHERE (r.score_at, r.id) < (@before_score_at::timestamptz, @before_id::uuid)
    ORDER BY r.score_at DESC, r.id DESC
    LIMIT @max_rows
)
SELECT
    h.id, h.score_at::timestamptz AS score_at, t.id AS ticket_id, m.id AS message_id,
    coalesce(m.is_note, false)::boolean AS is_note, t.user_id, t.status,
    coalesce(m.created_at, t.created_at)::timestamptz AS created_at,
    ts_headline(query.language::regconfig, t.title, query.exact, E'HighlightAll=true, StartSel=\x01, StopSel=\x02')::text AS title,
    ts_headline(
        query.language::regconfig, left(coalesce(m.content, t.description), 10000), query.exact,
        E'HighlightAll=true, StartSel=\x01, StopSel=\x02'
    )::text AS text
FROM hits AS h
CROSS JOIN query
LEFT JOIN messages AS m ON m.id = h.id
JOIN tickets AS t ON t.id = coalesce(m.ticket_id, h.id)
WHERE @staff::boolean OR (t.user_id = @actor_id AND m.is_note IS NOT TRUE)
ORDER BY h.score_at DESC, h.id DESC;

-- name: ListTicketsByText :many
-- The tickets in which a text matches, including their notes. Considers at most the newest max_candidates matches.
-- Matches as FindSearchResults does.
WITH query AS MATERIALIZED (
    SELECT asked.query AS exact, search_words(asked.query) AS loose
    FROM search_index AS s
    CROSS JOIN LATERAL (SELECT websearch_to_tsquery(s.language::regconfig, @query::text) AS query) AS asked
    WHERE querytree(asked.query) NOT IN ('', 'T')
),
candidates AS MATERIALIZED (
    SELECT found.id, found.words
    FROM query
    CROSS JOIN search_blocks() AS block
    CROSS JOIN LATERAL (
        SELECT d.id, d.words
        FROM search_documents AS d
        WHERE d.words @@ query.loose AND search_keys(d.number, d.customer_id) @> ARRAY[block]
        ORDER BY d.number DESC
        LIMIT @max_candidates
    ) AS found
    LIMIT @max_candidates
)
SELECT DISTINCT coalesce(m.ticket_id, c.id)::uuid AS id
FROM candidates AS c
JOIN query ON c.words @@ query.exact
LEFT JOIN messages AS m ON m.id = c.id;

-- name: IndexQueued :one
-- Indexes the texts that have waited longest, and returns how many it took.
SELECT index_queued(@max_rows, @skip_rows);

-- name: SetSearchLanguage :execrows
-- Changes the language, and schedules all documents to be indexed again. Falls back to 'simple' if the database does
-- not have the language. Zero rows: the language is already set.
UPDATE search_index AS s
SET language = wanted.language, rebuilt_to = 0, rebuild_until = (SELECT coalesce(max(d.number), 0) FROM search_documents AS d)
FROM (
    SELECT coalesce(max(c.cfgname), 'simple')::text AS language
    FROM pg_catalog.pg_ts_config AS c
    WHERE c.cfgname = @language::text AND pg_ts_config_is_visible(c.oid)
) AS wanted
WHERE s.language <> wanted.language;

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
