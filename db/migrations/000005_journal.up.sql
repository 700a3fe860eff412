BEGIN;
SET LOCAL lock_timeout = '2s';

CREATE TYPE actor_kind AS ENUM ('customer', 'agent', 'ai', 'service', 'system');

-- What happened on the desk, written in the transaction in which it happened and not yet in the journal. The sequencer moves
-- it there in the order of id; ids are handed out one by one, so that two entries of a ticket, whose writers held its lock,
-- keep their order. subject_id is what the entry is about: a message, an AI response, an account. customer_id is who sees
-- the entry besides staff; only staff see one without it. data holds ids and facts, never what people wrote: a reader takes
-- that from its row, where it can be redacted. There are no foreign keys: an entry outlives what it is about.
CREATE TABLE journal_outbox (
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 1),
    type        text        NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind  actor_kind  NOT NULL,
    actor_id    uuid,
    ticket_id   uuid,
    subject_id  uuid,
    customer_id uuid,
    data        jsonb       NOT NULL DEFAULT '{}',
    CONSTRAINT journal_outbox_pkey PRIMARY KEY (id),
    CONSTRAINT journal_outbox_type_check CHECK (type COLLATE "C" ~ '^[a-z_]{1,30}\.[a-z_]{1,30}$'),
    CONSTRAINT journal_outbox_actor_check CHECK ((actor_kind IN ('ai', 'system')) = (actor_id IS NULL)),
    CONSTRAINT journal_outbox_data_check CHECK (jsonb_typeof(data) = 'object' AND octet_length(data::text) <= 16384)
);

COMMIT;
