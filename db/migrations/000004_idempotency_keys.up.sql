BEGIN;
SET LOCAL lock_timeout = '2s';

-- The requests that were sent with an Idempotency-Key and had an effect, each written in the transaction of its effect. The
-- key itself is not kept: id is a digest of it and of whose and which operation's it is, user_id is whose, and fingerprint is a MAC of the
-- request under it. The response is null only within the transaction that is still making it. ticket_id is the ticket that the
-- request or the response names: what is redacted there is redacted in the response too.
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

-- What is old enough to be deleted.
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

-- What is erased with a customer, and redacted in a ticket.
CREATE INDEX idempotency_keys_user_id_idx ON idempotency_keys (user_id);
CREATE INDEX idempotency_keys_ticket_id_idx ON idempotency_keys (ticket_id) WHERE ticket_id IS NOT NULL;

COMMIT;
