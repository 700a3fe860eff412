-- name: ReserveAttempt :execrows
-- Takes one of the places that the key has, if one is free: of the attempts that count and of those that are still being
-- made, there are never more than max_attempts within the window, on all replicas together.
INSERT INTO attempts AS a (key, pending, counted_at, expires_at)
VALUES (@key, 1, '{}', clock_timestamp() + make_interval(secs => @window_seconds::integer))
ON CONFLICT (key) DO UPDATE
SET pending = CASE WHEN a.expires_at < clock_timestamp() THEN 1 ELSE a.pending + 1 END,
    expires_at = EXCLUDED.expires_at
WHERE a.expires_at < clock_timestamp() OR @max_attempts::integer > a.pending + (
    SELECT count(*)
    FROM unnest(a.counted_at) AS counted (at)
    WHERE counted.at > clock_timestamp() - make_interval(secs => @window_seconds::integer)
);

-- name: SettleAttempt :exec
-- Gives a place back, or turns it into an attempt that counts.
UPDATE attempts
SET pending = GREATEST(pending - 1, 0),
    counted_at = ARRAY(
        SELECT counted.at
        FROM unnest(counted_at) AS counted (at)
        WHERE counted.at > clock_timestamp() - make_interval(secs => @window_seconds::integer)
    ) || CASE WHEN @counts::boolean THEN ARRAY[clock_timestamp()] ELSE '{}' END,
    expires_at = clock_timestamp() + make_interval(secs => @window_seconds::integer)
WHERE key = @key;

-- name: DeleteAttempts :exec
-- Forgets what the key has tried.
DELETE FROM attempts
WHERE key = @key;

-- name: GetAttemptsWait :one
-- How many seconds it takes until a place is free; 0 when that depends on attempts that are still being made.
SELECT (
    CASE
        WHEN count(counted.at) >= @max_attempts::integer
            THEN EXTRACT(EPOCH FROM min(counted.at) - clock_timestamp()) + @window_seconds::integer
        ELSE 0
    END
)::double precision AS seconds
FROM attempts AS a, unnest(a.counted_at) AS counted (at)
WHERE a.key = @key AND counted.at > clock_timestamp() - make_interval(secs => @window_seconds::integer);

-- name: DeleteOldAttempts :execrows
-- One batch. Rows that are in use are passed over, so that nobody waits.
DELETE FROM attempts
WHERE key IN (
    SELECT a.key
    FROM attempts AS a
    WHERE a.expires_at < clock_timestamp()
    ORDER BY a.expires_at
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
);
