-- name: CreateSession :one
-- A session with its first refresh token. No row: the account is disabled, or has another hash than the one that was
-- checked. The lock makes whoever changes the account afterwards see the session.
WITH account AS (
    SELECT u.id, u.token_version
    FROM users AS u
    WHERE u.id = @user_id AND u.password_hash = @password_hash AND u.disabled_at IS NULL
    FOR SHARE
),
session AS (
    INSERT INTO sessions (id, user_id, user_agent, client_network, token_hash, expires_at)
    SELECT @id, account.id, @user_agent, @client_network, @token_hash,
        clock_timestamp() + make_interval(secs => @idle_seconds::integer)
    FROM account
)
SELECT account.token_version
FROM account;

-- name: GetSessionAccount :one
-- Whom a session speaks for, while it lives.
SELECT u.id, u.email, u.role, u.display_name, u.token_version
FROM sessions AS s
JOIN users AS u ON u.id = s.user_id
WHERE s.id = @id AND s.expires_at > statement_timestamp() AND u.disabled_at IS NULL;

-- name: ListSessionsByUser :many
SELECT id, user_id, user_agent, client_network, created_at, last_used_at, expires_at
FROM sessions
WHERE user_id = @user_id AND expires_at > statement_timestamp()
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: RefreshSession :one
-- Gives a living session its next refresh token. The one that was sent is the session's own, or the one that was exchanged
-- for it: its response may have been lost, so it is exchanged again, and the token in that response is void. Uses of a
-- session's tokens come one after the other, on the lock of its row, and each compares with the time at which it has the lock.
-- No row: the token is neither, or refreshes come too fast.
UPDATE sessions AS s
SET token_hash = @next_hash::bytea,
    parent_hash = @token_hash::bytea,
    parent_expires_at = CASE WHEN s.token_hash = @token_hash::bytea THEN s.expires_at ELSE s.parent_expires_at END,
    last_used_at = clock_timestamp(),
    expires_at = least(
        clock_timestamp() + make_interval(secs => @idle_seconds::integer),
        s.created_at + make_interval(secs => @absolute_seconds::integer)
    ),
    refresh_credit_at = greatest(s.refresh_credit_at, clock_timestamp()) + make_interval(secs => @pace_seconds::integer)
FROM users AS u
WHERE s.id = @id AND s.expires_at > clock_timestamp() AND u.id = s.user_id AND u.disabled_at IS NULL
    AND (
        s.token_hash = @token_hash::bytea
        OR s.parent_hash = @token_hash::bytea AND s.parent_expires_at > clock_timestamp()
    )
    AND s.refresh_credit_at < clock_timestamp() + make_interval(secs => @burst_seconds::integer)
RETURNING s.user_id, u.token_version;

-- name: GetRefreshWait :one
-- How many seconds it takes until a session may be refreshed again with a token that it keeps.
SELECT EXTRACT(
    EPOCH FROM s.refresh_credit_at - statement_timestamp() - make_interval(secs => @burst_seconds::integer)
)::double precision AS seconds
FROM sessions AS s
JOIN users AS u ON u.id = s.user_id
WHERE s.id = @id AND s.expires_at > statement_timestamp() AND u.disabled_at IS NULL
    AND (
        s.token_hash = @token_hash::bytea
        OR s.parent_hash = @token_hash::bytea AND s.parent_expires_at > statement_timestamp()
    );

-- name: DeleteReusedSession :one
-- Ends a living session by a token of its own that it no longer keeps.
DELETE FROM sessions AS s
WHERE s.id = @id AND s.expires_at > statement_timestamp()
    AND s.token_hash <> @token_hash::bytea AND s.parent_hash IS DISTINCT FROM @token_hash::bytea
RETURNING s.user_id;

-- name: DeleteSession :execrows
DELETE FROM sessions
WHERE id = @id AND user_id = @user_id;

-- name: DeleteSessionsByUser :execrows
-- All but one, which may be the nil UUID.
DELETE FROM sessions
WHERE user_id = @user_id AND id <> @except_id;

-- name: DeleteExcessSessions :execrows
-- The oldest of an account that has more than it may have.
DELETE FROM sessions
WHERE id IN (
    SELECT s.id
    FROM sessions AS s
    WHERE s.user_id = @user_id
    ORDER BY s.created_at DESC, s.id DESC
    OFFSET @max_sessions::integer
    FOR UPDATE SKIP LOCKED
);

-- name: DeleteExpiredSessions :execrows
DELETE FROM sessions
WHERE id IN (
    SELECT s.id
    FROM sessions AS s
    WHERE s.expires_at <= statement_timestamp()
    ORDER BY s.expires_at
    LIMIT @max_rows OFFSET @skip_rows
    FOR UPDATE SKIP LOCKED
);
