-- name: RecordAttempt :execrows
-- Counts an attempt. Zero rows, and nothing counted: max_attempts have been counted within the window, on all replicas
-- together.
INSERT INTO attempts AS a (key, counted_at, expires_at)
VALUES (@key, ARRAY[clock_timestamp()], clock_timestamp() + make_interval(secs => @window_seconds::integer))
ON CONFLICT (key) DO UPDATE
SET counted_at = ARRAY(
        SELECT counted.at
        FROM unnest(a.counted_at) AS counted (at)
        WHERE counted.at > statement_timestamp() - make_interval(secs => @window_seconds::integer)
    ) || clock_timestamp(),
    expires_at = EXCLUDED.expires_at
WHERE @max_attempts::integer > (
    SELECT count(*)
    FROM unnest(a.counted_at) AS counted (at)
    WHERE counted.at > statement_timestamp() - make_interval(secs => @window_seconds::integer)
);

-- name: DeleteAttempts :execrows
-- Deletes the attempts of a key, unless they have reached the limit.
DELETE FROM attempts AS a
WHERE a.key = @key AND @max_attempts::integer > (
    SELECT count(*)
    FROM unnest(a.counted_at) AS counted (at)
    WHERE counted.at > statement_timestamp() - make_interval(secs => @window_seconds::integer)
);

-- name: GetAttemptsWait :one
-- How many seconds the key must wait. No row: it may try now.
SELECT (EXTRACT(EPOCH FROM min(counted.at) - statement_timestamp()) + @window_seconds::integer)::double precision AS seconds
FROM attempts AS a, unnest(a.counted_at) AS counted (at)
WHERE a.key = @key AND counted.at > statement_timestamp() - make_interval(secs => @window_seconds::integer)
HAVING count(*) >= @max_attempts::integer;

-- name: DeleteOldAttempts :execrows
-- Deletes one batch. Skips locked rows, so that nobody waits.
DELETE FROM attempts
WHERE key = ANY (ARRAY(
    SELECT a.key
    FROM attempts AS a
    WHERE a.expires_at < statement_timestamp()
    ORDER BY a.expires_at
    LIMIT @max_rows OFFSET @skip_rows
    FOR UPDATE SKIP LOCKED
));
