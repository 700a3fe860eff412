BEGIN;
SET LOCAL lock_timeout = '2s';

CREATE TYPE user_role AS ENUM ('user', 'agent', 'admin');

CREATE TABLE users (
    id            uuid        NOT NULL,
    email         text        NOT NULL,
    password_hash text        NOT NULL,
    role          user_role   NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_check CHECK (char_length(email) BETWEEN 3 AND 254),
    CONSTRAINT users_password_hash_check CHECK (char_length(password_hash) BETWEEN 1 AND 255)
);

-- Addresses are stored in lower case; the index holds it against any other way in.
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

COMMIT;
