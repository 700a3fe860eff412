-- name: CreateSession :one
-- Creates a session with its first refresh token. No row: the account is disabled, or its password hash is no longer
-- the one that was checked. The lock ensures that a later change of the account sees the session.
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
-- The account of a session that has not expired.
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
-- Gives a session its next refresh token. The request's token is the current one, or its parent: the response with the
-- current token may have been lost, so the parent is exchanged again, which invalidates that token. The row's lock
-- serializes uses of a session's tokens, and each use compares with the time at which it holds the lock. No row: the
-- token is neither of the two, the session has expired, or refreshes come too fast.
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
-- How many seconds a valid refresh token must wait before it can be exchanged.
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
-- Ends a session whose token has been used twice: the token names the session, but is no longer one of its two.
DELETE FROM sessions AS s
WHERE s.id = @id AND s.expires_at > statement_timestamp()
    AND s.token_hash <> @token_hash::bytea AND s.parent_hash IS DISTINCT FROM @token_hash::bytea
RETURNING s.user_id;

-- name: DeleteSession :execrows
DELETE FROM sessions
WHERE id = @id AND user_id = @user_id;

-- name: DeleteSessionsByUser :execrows
-- Deletes all sessions of an account except one, or all with the nil UUID.
DELETE FROM sessions
WHERE user_id = @user_id AND id <> @except_id;

-- name: DeleteExcessSessions :execrows
-- Deletes the oldest sessions beyond the limit of an account.
DELETE FROM sessions
WHERE id = ANY (ARRAY(
    SELECT s.id
    FROM sessions AS s
    WHERE s.user_id = @user_id
    ORDER BY s.created_at DESC, s.id DESC
    OFFSET @max_sessions::integer
    FOR UPDATE SKIP LOCKED
));

-- name: DeleteExpiredSessions :execrows
DELETE FROM sessions
WHERE id = ANY (ARRAY(
    SELECT s.id
    FROM sessions AS s
    WHERE s.expires_at <= statement_timestamp()
    ORDER BY s.expires_at
    LIMIT @max_rows OFFSET @skip_rows
    FOR UPDATE SKIP LOCKED
));
