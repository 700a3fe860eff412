BEGIN;
SET LOCAL lock_timeout = '2s';

-- A session keeps two refresh tokens, whatever its history, so that ending it touches one row. The tokens say by themselves
-- which session they are of, so one that the row does not name is known as used.
DROP TABLE refresh_tokens;
DELETE FROM sessions;

-- token_hash is the session's own token, as SHA-256. parent_hash is the one that was exchanged for it, which stays usable
-- until parent_expires_at or until the session's own is used. refresh_credit_at paces refreshes: it moves ahead with each
-- one, and falls behind the clock again while there are none.
ALTER TABLE sessions
    ADD COLUMN token_hash        bytea       NOT NULL,
    ADD COLUMN parent_hash       bytea,
    ADD COLUMN parent_expires_at timestamptz,
    ADD COLUMN refresh_credit_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD CONSTRAINT sessions_token_hash_check CHECK (octet_length(token_hash) = 32),
    ADD CONSTRAINT sessions_parent_hash_check CHECK (octet_length(parent_hash) = 32);

-- A time that the API can show has a year of four digits.
ALTER TABLE api_keys ADD CONSTRAINT api_keys_expires_at_check CHECK (expires_at < '10000-01-01T00:00:00Z');

COMMIT;
