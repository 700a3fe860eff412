BEGIN;
SET LOCAL lock_timeout = '2s';

ALTER TABLE api_keys DROP CONSTRAINT api_keys_expires_at_check;

DELETE FROM sessions;
ALTER TABLE sessions
    DROP COLUMN token_hash,
    DROP COLUMN parent_hash,
    DROP COLUMN parent_expires_at,
    DROP COLUMN refresh_credit_at;

CREATE TABLE refresh_tokens (
    token_hash  bytea       NOT NULL,
    session_id  uuid        NOT NULL,
    parent_hash bytea,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    used_at     timestamptz,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (token_hash),
    CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE,
    CONSTRAINT refresh_tokens_token_hash_check CHECK (octet_length(token_hash) = 32),
    CONSTRAINT refresh_tokens_parent_hash_check CHECK (octet_length(parent_hash) = 32)
);

CREATE UNIQUE INDEX refresh_tokens_live_key ON refresh_tokens (session_id) WHERE used_at IS NULL;
CREATE INDEX refresh_tokens_session_id_idx ON refresh_tokens (session_id);

COMMIT;
