BEGIN;
SET LOCAL lock_timeout = '2s';

-- The requests with an Idempotency-Key that had an effect, each written in the transaction of that effect. The key
-- itself is not stored: id is a digest of the key, the account and the operation; user_id is the account; fingerprint
-- is a MAC of the request under the key. The response is null only inside the transaction that creates it. ticket_id is
-- the ticket that the request or the response names: redacting the ticket also redacts the response.
CREATE TABLE idempotency_keys (
    id          bytea       NOT NULL,
    fingerprint bytea       NOT NULL,
    status      smallint,
    headers     jsonb,
    body        bytea,
    created_at  timestamptz NOT NULL DEFAULT now(),
    user_id     uuid        NOT NULL,
    ticket_id   uuid,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (id),
    CONSTRAINT idempotency_keys_response_check CHECK (
        num_nulls(status, headers, body) IN (0, 3) AND status BETWEEN 200 AND 299 AND octet_length(body) <= 131072
    )
);

-- For the sweep, which deletes old rows.
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

-- For the erasure of a customer and the redaction of a ticket.
CREATE INDEX idempotency_keys_user_id_idx ON idempotency_keys (user_id);
CREATE INDEX idempotency_keys_ticket_id_idx ON idempotency_keys (ticket_id) WHERE ticket_id IS NOT NULL;

COMMIT;
