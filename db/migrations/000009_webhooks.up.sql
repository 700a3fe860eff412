BEGIN;
SET LOCAL lock_timeout = '2s';

CREATE TYPE webhook_payload AS ENUM ('thin', 'full');

-- Subscriptions to events. An empty list of types means all. Secrets are encrypted with a key that is not in the
-- database; the previous secret also signs until it expires. failures counts the failed attempts since the last
-- success, and failing_since is the first of them. Nothing is sent before resume_at. A replay covers replay_position to
-- replay_until. A paused webhook gets no deliveries: when it resumes, it replays the entries from paused_position on.
-- The row of a deleted webhook stays until its deliveries are deleted.
CREATE TABLE webhooks (
    id                  uuid            NOT NULL,
    url                 text            NOT NULL,
    description         text,
    types               text[]          NOT NULL,
    payload             webhook_payload NOT NULL,
    paused              boolean         NOT NULL DEFAULT false,
    secret              bytea           NOT NULL,
    previous_secret     bytea,
    previous_expires_at timestamptz,
    created_at          timestamptz     NOT NULL DEFAULT clock_timestamp(),
    updated_at          timestamptz     NOT NULL DEFAULT clock_timestamp(),
    disabled_at         timestamptz,
    disabled_reason     text,
    failures            integer         NOT NULL DEFAULT 0,
    failing_since       timestamptz,
    resume_at           timestamptz,
    paused_position     bigint,
    replay_position     bigint,
    replay_until        bigint,
    deleted_at          timestamptz,
    CONSTRAINT webhooks_pkey PRIMARY KEY (id),
    CONSTRAINT webhooks_url_check CHECK (char_length(url) BETWEEN 9 AND 2000),
    CONSTRAINT webhooks_description_check CHECK (char_length(description) BETWEEN 1 AND 200),
    CONSTRAINT webhooks_types_check CHECK (cardinality(types) <= 50),
    CONSTRAINT webhooks_secret_check CHECK (octet_length(secret) <= 128 AND octet_length(previous_secret) <= 128),
    CONSTRAINT webhooks_previous_check CHECK ((previous_secret IS NULL) = (previous_expires_at IS NULL)),
    CONSTRAINT webhooks_disabled_check CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    CONSTRAINT webhooks_disabled_reason_check CHECK (disabled_reason IN ('gone', 'failing')),
    CONSTRAINT webhooks_failing_check CHECK ((failures = 0) = (failing_since IS NULL)),
    CONSTRAINT webhooks_replay_check CHECK ((replay_position IS NULL) = (replay_until IS NULL))
);

CREATE INDEX webhooks_created_at_id_idx ON webhooks (created_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE TYPE webhook_delivery_status AS ENUM ('pending', 'delivered', 'failed');

-- The delivery of a journal entry to a webhook. A test delivery has no position. round_attempts counts the attempts
-- since the delivery was created or last requested again; it determines when the next attempt is due.
CREATE TABLE webhook_deliveries (
    id              uuid                    NOT NULL,
    webhook_id      uuid                    NOT NULL,
    position        bigint,
    type            text                    NOT NULL,
    status          webhook_delivery_status NOT NULL DEFAULT 'pending',
    attempt_count   integer                 NOT NULL DEFAULT 0,
    round_attempts  integer                 NOT NULL DEFAULT 0,
    created_at      timestamptz             NOT NULL DEFAULT clock_timestamp(),
    next_attempt_at timestamptz             DEFAULT clock_timestamp(),
    finished_at     timestamptz,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_deliveries_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_type_check CHECK (char_length(type) BETWEEN 3 AND 61),
    CONSTRAINT webhook_deliveries_pending_check CHECK (
        (status = 'pending') = (next_attempt_at IS NOT NULL) AND (status = 'pending') = (finished_at IS NULL)
    )
);

CREATE UNIQUE INDEX webhook_deliveries_webhook_id_position_key ON webhook_deliveries (webhook_id, position);
CREATE INDEX webhook_deliveries_webhook_id_created_at_id_idx ON webhook_deliveries (webhook_id, created_at DESC, id DESC);

-- For due deliveries, for the oldest pending one, and for the sweep, which deletes old ones.
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (webhook_id, next_attempt_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_pending_created_at_idx ON webhook_deliveries (webhook_id, created_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_finished_at_idx ON webhook_deliveries (finished_at) WHERE status <> 'pending';

-- The result of an attempt: the status, or an error when there was no usable response, and the beginning of the body.
CREATE TABLE webhook_attempts (
    delivery_id uuid        NOT NULL,
    number      integer     NOT NULL,
    started_at  timestamptz NOT NULL,
    duration_ms integer     NOT NULL,
    status      integer,
    error       text,
    response    text,
    CONSTRAINT webhook_attempts_pkey PRIMARY KEY (delivery_id, number),
    CONSTRAINT webhook_attempts_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    CONSTRAINT webhook_attempts_number_check CHECK (number >= 1),
    CONSTRAINT webhook_attempts_error_check CHECK (char_length(error) BETWEEN 1 AND 64),
    CONSTRAINT webhook_attempts_response_check CHECK (octet_length(response) <= 2048)
);

-- Whether the texts of an entry are still there: not redacted, not erased, not expired.
CREATE FUNCTION journal_entry_intact(entry_position bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT
        FROM journal AS j
        LEFT JOIN tickets AS t ON t.id = j.ticket_id
        LEFT JOIN messages AS m ON m.id = j.subject_id AND j.type IN ('message.created', 'note.created')
        WHERE j.position = entry_position
            AND (j.ticket_id IS NULL OR t.id IS NOT NULL)
            AND (j.type <> 'ticket.created' OR t.redacted_at IS NULL)
            AND (j.type NOT IN ('message.created', 'note.created') OR m.id IS NOT NULL AND m.redacted_at IS NULL)
            AND NOT EXISTS (SELECT FROM users AS u WHERE u.id IN (j.customer_id, j.subject_id, t.user_id) AND u.erasing_at IS NOT NULL)
    )
$$;

-- One row: the position up to which the dispatcher has created deliveries. The dispatcher holds its lock.
CREATE TABLE webhook_cursor (
    id       boolean NOT NULL DEFAULT true,
    position bigint  NOT NULL DEFAULT 0,
    CONSTRAINT webhook_cursor_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_cursor_id_check CHECK (id)
);

INSERT INTO webhook_cursor DEFAULT VALUES;

COMMIT;
