BEGIN;
SET LOCAL lock_timeout = '2s';

-- What may be tried only so often: log-ins that fail, sign-ups. A row is one who tries, named by an HMAC, with the times of
-- the attempts that count and the number of those whose end is not known yet.
CREATE TABLE attempts (
    key        bytea         NOT NULL,
    pending    integer       NOT NULL,
    counted_at timestamptz[] NOT NULL,
    expires_at timestamptz   NOT NULL,
    CONSTRAINT attempts_pkey PRIMARY KEY (key),
    CONSTRAINT attempts_key_check CHECK (octet_length(key) = 32),
    CONSTRAINT attempts_pending_check CHECK (pending >= 0),
    CONSTRAINT attempts_counted_at_check CHECK (cardinality(counted_at) <= 10000)
);

-- What can be deleted, oldest first.
CREATE INDEX attempts_expires_at_idx ON attempts (expires_at);

COMMIT;
