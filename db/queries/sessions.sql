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
    INSERT INTO sessions (id, user_id, user_agent, client_network, expires_at)
    SELECT @id, account.id, @user_agent, @client_network,
        clock_timestamp() + make_interval(secs => @idle_seconds::integer)
    FROM account
    RETURNING id
),
token AS (
    INSERT INTO refresh_tokens (token_hash, session_id)
    SELECT @token_hash, session.id
    FROM session
)
SELECT account.token_version
FROM account;

-- name: GetSessionAccount :one
-- Whom a session speaks for, while it lives.
SELECT u.id, u.email, u.role, u.token_version
FROM sessions AS s
JOIN users AS u ON u.id = s.user_id
WHERE s.id = @id AND s.expires_at > clock_timestamp() AND u.disabled_at IS NULL;

-- name: ListSessionsByUser :many
SELECT id, user_id, user_agent, client_network, created_at, last_used_at, expires_at
FROM sessions
WHERE user_id = @user_id AND expires_at > clock_timestamp()
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: RenewSession :one
-- The living session that a refresh token is or was of, locked until the transaction ends: the uses of a session's tokens
-- come one after the other.
UPDATE sessions AS s
SET last_used_at = clock_timestamp(),
    expires_at = least(
        clock_timestamp() + make_interval(secs => @idle_seconds::integer),
        s.created_at + make_interval(secs => @absolute_seconds::integer)
    )
FROM users AS u
WHERE s.id = (SELECT t.session_id FROM refresh_tokens AS t WHERE t.token_hash = @token_hash)
    AND s.expires_at > clock_timestamp() AND u.id = s.user_id AND u.disabled_at IS NULL
RETURNING s.id, s.user_id, u.token_version;

-- name: RetireRefreshToken :execrows
-- Takes the session's own token away from it, if the one that was sent may be used: it is that token, or the one before
-- it, first used just now, whose answer may have been lost. Zero rows: it was used before. The session must be locked.
UPDATE refresh_tokens AS own
SET used_at = clock_timestamp()
WHERE own.session_id = @session_id AND own.used_at IS NULL
    AND (
        own.token_hash = @token_hash
        OR own.parent_hash = @token_hash AND EXISTS (
            SELECT FROM refresh_tokens AS parent
            WHERE parent.token_hash = @token_hash
                AND parent.used_at > clock_timestamp() - make_interval(secs => @grace_seconds::integer)
        )
    );

-- name: CreateRefreshToken :exec
INSERT INTO refresh_tokens (token_hash, session_id, parent_hash)
VALUES (@token_hash, @session_id, @parent_hash::bytea);

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
    WHERE s.expires_at <= clock_timestamp()
    ORDER BY s.expires_at
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
);
