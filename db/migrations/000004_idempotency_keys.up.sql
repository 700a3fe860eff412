BEGIN;
SET LOCAL lock_timeout = '2s';

-- The requests with an Idempotency-Key that had an effect, each written in the transaction of that effect. The key
-- itself is not stored: id is a digest of the key, the account and the operation; user_id is the account; fingerprint
-- is a MAC of the request under the key. status, headers and body are the response. ticket_id is the ticket that the
-- request or the response names: redacting the ticket also redacts the response.
CREATE TABLE idempotency_keys (
    id          bytea       NOT NULL,
    fingerprint bytea       NOT NULL,
    status      smallint    NOT NULL,
    headers     jsonb       NOT NULL,
    body        bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    user_id     uuid        NOT NULL,
    ticket_id   uuid,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (id),
    CONSTRAINT idempotency_keys_response_check CHECK (status BETWEEN 200 AND 299 AND octet_length(body) <= 131072)
);

-- For the sweep, which deletes old rows.
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

-- For the erasure of a customer and the redaction of a ticket.
CREATE INDEX idempotency_keys_user_id_idx ON idempotency_keys (user_id);
CREATE INDEX idempotency_keys_ticket_id_idx ON idempotency_keys (ticket_id) WHERE ticket_id IS NOT NULL;

-- Claims a key until the transaction ends, and returns a row if the key was used before. It waits for a transaction that
-- has claimed the key; its second statement then sees whether that one committed. A row that claims the key would have to
-- be written again with the response.
CREATE FUNCTION claim_idempotency_key(key_id bytea) RETURNS SETOF timestamptz LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(encode(key_id, 'hex'), 0));
    RETURN QUERY SELECT k.created_at FROM idempotency_keys AS k WHERE k.id = key_id;
END
$$;

COMMIT;
