BEGIN;
SET LOCAL lock_timeout = '2s';

-- Other encodings cannot store every text, or count bytes where the limits are in characters.
DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = format(
            'the database has the encoding %s and must have UTF8 (CREATE DATABASE … TEMPLATE template0 ENCODING ''UTF8'')',
            current_setting('server_encoding'));
    END IF;
END
$$;

CREATE TYPE user_role AS ENUM ('user', 'agent', 'admin');

-- erasing_at is when the erasure of a customer began. The row stays, without personal data. A change of role, and
-- disabling the account, raise token_version, which invalidates all access tokens of the account. display_name is shown
-- beside what the account writes in tickets.
CREATE TABLE users (
    id            uuid        NOT NULL,
    email         text        NOT NULL,
    password_hash text        NOT NULL,
    role          user_role   NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    token_version integer     NOT NULL DEFAULT 1,
    disabled_at   timestamptz,
    erasing_at    timestamptz,
    display_name  text,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_check CHECK (char_length(email) BETWEEN 3 AND 254),
    CONSTRAINT users_password_hash_check CHECK (char_length(password_hash) BETWEEN 1 AND 255),
    CONSTRAINT users_token_version_check CHECK (token_version >= 1),
    CONSTRAINT users_display_name_check CHECK (char_length(display_name) BETWEEN 1 AND 100)
);

-- Addresses are stored in lower case. The index on lower(email) keeps them unique even if something else writes them.
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

-- For the administrators' list: in its order, and by the beginning of an address. Addresses are lower-case ASCII, so
-- byte order suits them.
CREATE INDEX users_created_at_id_idx ON users (created_at DESC, id DESC);
CREATE INDEX users_email_prefix_idx ON users (email COLLATE "C");

-- Few accounts are staff's. Without this index, finding them would read those of all customers.
CREATE INDEX users_staff_idx ON users (created_at DESC, id DESC) WHERE role <> 'user';

CREATE INDEX users_erasing_at_idx ON users (erasing_at) WHERE erasing_at IS NOT NULL;

-- A session lives until it expires or its row is deleted. The row stores the SHA-256 of at most two refresh tokens. A
-- token names its session, so a token that the row does not have has been used before. token_hash is the current token.
-- parent_hash is the token that was exchanged for it, which stays valid until parent_expires_at or until the current
-- token is used. refresh_credit_at limits refreshes: each one moves it forward, and it may be only so far ahead of the
-- clock. All times come from the database, the one clock that replicas share.
CREATE TABLE sessions (
    id                uuid        NOT NULL,
    user_id           uuid        NOT NULL,
    user_agent        text        NOT NULL,
    client_network    text        NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at        timestamptz NOT NULL,
    token_hash        bytea       NOT NULL,
    parent_hash       bytea,
    parent_expires_at timestamptz,
    refresh_credit_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_user_agent_check CHECK (char_length(user_agent) <= 200),
    CONSTRAINT sessions_client_network_check CHECK (char_length(client_network) <= 64),
    CONSTRAINT sessions_token_hash_check CHECK (octet_length(token_hash) = 32),
    CONSTRAINT sessions_parent_hash_check CHECK (octet_length(parent_hash) = 32)
);

CREATE INDEX sessions_user_id_created_at_id_idx ON sessions (user_id, created_at DESC, id DESC);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

-- Limits of failed log-ins and of sign-ups. A row is one source of attempts, identified by an HMAC, with the times of
-- the attempts that count.
CREATE TABLE attempts (
    key        bytea         NOT NULL,
    counted_at timestamptz[] NOT NULL,
    expires_at timestamptz   NOT NULL,
    CONSTRAINT attempts_pkey PRIMARY KEY (key),
    CONSTRAINT attempts_key_check CHECK (octet_length(key) = 32),
    CONSTRAINT attempts_counted_at_check CHECK (cardinality(counted_at) <= 10000)
);

-- For the sweep, which deletes expired rows.
CREATE INDEX attempts_expires_at_idx ON attempts (expires_at);

-- The API keys of services, as SHA-256. A key acts as its service's account, a row of users whose password_hash is '!',
-- which no password matches. A service may have several keys. The API shows years with four digits, hence the limit of
-- expires_at.
CREATE TABLE api_keys (
    id           uuid        NOT NULL,
    service_id   uuid        NOT NULL,
    name         text        NOT NULL,
    key_hash     bytea       NOT NULL,
    scopes       text[]      NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_service_id_fkey FOREIGN KEY (service_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT api_keys_key_hash_check CHECK (octet_length(key_hash) = 32),
    CONSTRAINT api_keys_scopes_check CHECK (
        cardinality(scopes) BETWEEN 1 AND 7
        AND scopes <@ ARRAY['tickets:read', 'tickets:write', 'ai', 'users', 'events', 'webhooks', 'on_behalf']
    ),
    CONSTRAINT api_keys_expires_at_check CHECK (expires_at < '10000-01-01T00:00:00Z')
);

CREATE INDEX api_keys_created_at_id_idx ON api_keys (created_at DESC, id DESC);
CREATE INDEX api_keys_service_id_idx ON api_keys (service_id);

-- The customers for whom services act, by the service's own ids. Each has an account without a password. Only staff and
-- the service see the id and the name that the service sets.
CREATE TABLE service_customers (
    service_id   uuid        NOT NULL,
    external_id  text        NOT NULL,
    user_id      uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    display_name text,
    CONSTRAINT service_customers_pkey PRIMARY KEY (service_id, external_id),
    CONSTRAINT service_customers_user_id_key UNIQUE (user_id),
    CONSTRAINT service_customers_service_id_fkey FOREIGN KEY (service_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT service_customers_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT service_customers_external_id_check CHECK (external_id COLLATE "C" ~ '^[!-~]{1,128}$'),
    CONSTRAINT service_customers_display_name_check CHECK (char_length(display_name) BETWEEN 1 AND 100)
);

COMMIT;
