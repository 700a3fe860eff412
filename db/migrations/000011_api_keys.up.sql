BEGIN;
SET LOCAL lock_timeout = '2s';

-- The keys with which services call the API, as SHA-256. A key acts as its service's account, which is one of users whose
-- password_hash is '!': no hash is that, so nobody can log in to it. A service may have several keys.
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
        cardinality(scopes) BETWEEN 1 AND 5
        AND scopes <@ ARRAY['tickets:read', 'tickets:write', 'ai', 'users', 'on_behalf']
    )
);

CREATE INDEX api_keys_created_at_id_idx ON api_keys (created_at DESC, id DESC);
CREATE INDEX api_keys_service_id_idx ON api_keys (service_id);

-- The customers that services act for, by the ids that they have there. Each has an account without a password.
CREATE TABLE service_customers (
    service_id  uuid        NOT NULL,
    external_id text        NOT NULL,
    user_id     uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT service_customers_pkey PRIMARY KEY (service_id, external_id),
    CONSTRAINT service_customers_user_id_key UNIQUE (user_id),
    CONSTRAINT service_customers_service_id_fkey FOREIGN KEY (service_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT service_customers_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT service_customers_external_id_check CHECK (external_id COLLATE "C" ~ '^[!-~]{1,128}$')
);

COMMIT;
