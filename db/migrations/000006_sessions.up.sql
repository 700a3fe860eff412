BEGIN;
SET LOCAL lock_timeout = '2s';

-- token_version is raised by what ends the access tokens that there are: another role, or the account's being disabled.
ALTER TABLE users ADD COLUMN token_version integer NOT NULL DEFAULT 1;
ALTER TABLE users ADD CONSTRAINT users_token_version_check CHECK (token_version >= 1);
ALTER TABLE users ADD COLUMN disabled_at timestamptz;

-- A session that is there and has not expired lives: ending one deletes it, with its tokens. All its times are the
-- database's, the one clock that all replicas share.
CREATE TABLE sessions (
    id             uuid        NOT NULL,
    user_id        uuid        NOT NULL,
    user_agent     text        NOT NULL,
    client_network text        NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at     timestamptz NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_user_agent_check CHECK (char_length(user_agent) <= 200),
    CONSTRAINT sessions_client_network_check CHECK (char_length(client_network) <= 64)
);

CREATE INDEX sessions_user_id_created_at_id_idx ON sessions (user_id, created_at DESC, id DESC);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

-- The refresh tokens that a session has had, as SHA-256. The one without used_at is the session's own. The others stay as
-- long as the session does, so that each of them is known when it comes back.
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
