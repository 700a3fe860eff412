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
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 1000000);

-- What happened on the desk, in one order for all readers: position has no holes, and an entry that a reader sees never gets
-- one in front of it later. Entries never change. Old ones leave with their partition.
CREATE TABLE journal (
    position    bigint      NOT NULL,
    type        text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    actor_kind  actor_kind  NOT NULL,
    actor_id    uuid,
    ticket_id   uuid,
    subject_id  uuid,
    customer_id uuid,
    data        jsonb       NOT NULL,
    CONSTRAINT journal_pkey PRIMARY KEY (position)
) PARTITION BY RANGE (position);

-- The entries of one ticket, and those that one customer sees.
CREATE INDEX journal_ticket_id_position_idx ON journal (ticket_id, position) WHERE ticket_id IS NOT NULL;
CREATE INDEX journal_customer_id_position_idx ON journal (customer_id, position) WHERE customer_id IS NOT NULL;

-- Entries with what people wrote, as it is now: redacted and erased texts are gone here too.
CREATE VIEW journal_entries AS
SELECT j.*, m.content, t.title, t.description
FROM journal AS j
LEFT JOIN messages AS m ON m.id = j.subject_id AND j.type IN ('message.created', 'note.created')
LEFT JOIN tickets AS t ON t.id = j.ticket_id AND j.type = 'ticket.created';

-- One row: the position of the newest entry. Whoever adds entries holds its lock.
CREATE TABLE journal_head (
    id       boolean NOT NULL DEFAULT true,
    position bigint  NOT NULL DEFAULT 0,
    CONSTRAINT journal_head_pkey PRIMARY KEY (id),
    CONSTRAINT journal_head_id_check CHECK (id),
    CONSTRAINT journal_head_position_check CHECK (position >= 0)
);

INSERT INTO journal_head DEFAULT VALUES;

-- The partitions that there are, each for size positions from first_position on. The least of them is the oldest entry.
CREATE TABLE journal_partitions (
    first_position bigint NOT NULL,
    size           bigint NOT NULL,
    CONSTRAINT journal_partitions_pkey PRIMARY KEY (first_position),
    CONSTRAINT journal_partitions_size_check CHECK (size >= 1)
);

-- Adds a partition behind the last one. A partition is meant to take from a day to a week: one is twice the size of the last
-- when so many entries came within a day, and half when they took more than a week. The caller holds the lock of the head.
-- Attaching a table, unlike creating a partition, lets readers and writers go on.
CREATE FUNCTION journal_extend() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    smallest CONSTANT bigint := 10000;
    largest CONSTANT bigint := 16777216;
    first bigint := 1;
    size bigint := smallest;
    began timestamptz;
BEGIN
    SELECT p.first_position + p.size, p.size INTO first, size
    FROM journal_partitions AS p
    ORDER BY p.first_position DESC
    LIMIT 1;
    first := coalesce(first, (SELECT h.position + 1 FROM journal_head AS h));
    size := coalesce(size, smallest);
    SELECT j.occurred_at INTO began
    FROM journal AS j, journal_head AS h
    WHERE j.position = h.position - size + 1;
    IF began > clock_timestamp() - interval '1 day' THEN
        size := least(size * 2, largest);
    ELSIF began < clock_timestamp() - interval '7 days' THEN
        size := greatest(size / 2, smallest);
    END IF;
    EXECUTE format('CREATE TABLE journal_%s (LIKE journal INCLUDING ALL)', first);
    EXECUTE format('ALTER TABLE journal ATTACH PARTITION journal_%s FOR VALUES FROM (%s) TO (%s)', first, first, first + size);
    INSERT INTO journal_partitions (first_position, size) VALUES (first, size);
END;
$$;

-- Moves up to max_rows committed entries from the outbox to the journal. Returns their number and the new head, or NULL when
-- another session holds the lock. Each statement below sees what was committed when it began, so the statements after the
-- lock see everything that the previous holder did. The caller runs all of this as one statement: if its process dies or
-- freezes, the statement still ends, and releases the lock. With an empty outbox it takes no lock and writes nothing.
CREATE FUNCTION journal_sequence(max_rows integer, notify boolean) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    head bigint;
    moved bigint := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM journal_outbox) THEN
        RETURN ARRAY[0, (SELECT h.position FROM journal_head AS h)];
    END IF;
    SELECT h.position INTO head FROM journal_head AS h FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF head + max_rows >= coalesce((SELECT max(p.first_position + p.size) FROM journal_partitions AS p), 0) THEN
        PERFORM journal_extend();
    END IF;
    WITH taken AS (
        DELETE FROM journal_outbox AS o
        WHERE o.id IN (SELECT n.id FROM journal_outbox AS n ORDER BY n.id LIMIT max_rows)
        RETURNING o.*
    )
    INSERT INTO journal (position, type, occurred_at, actor_kind, actor_id, ticket_id, subject_id, customer_id, data)
    SELECT
        head + row_number() OVER (ORDER BY t.id),
        t.type, t.occurred_at, t.actor_kind, t.actor_id, t.ticket_id, t.subject_id, t.customer_id, t.data
    FROM taken AS t;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved > 0 THEN
        head := head + moved;
        UPDATE journal_head SET position = head;
        IF notify THEN
            PERFORM pg_notify('support_journal', head::text);
        END IF;
    END IF;
    RETURN ARRAY[moved, head];
END;
$$;

-- Drops the oldest partition if its newest entry is older than kept, and returns how many it has dropped. It gives up soon
-- when a reader holds the journal for long, because other readers wait behind it meanwhile.
CREATE FUNCTION journal_trim(kept interval) RETURNS integer LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
DECLARE
    oldest bigint;
BEGIN
    SELECT p.first_position INTO oldest
    FROM journal_partitions AS p
    WHERE p.first_position = (SELECT min(q.first_position) FROM journal_partitions AS q) AND EXISTS (
        SELECT FROM journal AS j
        WHERE j.position = p.first_position + p.size - 1 AND j.occurred_at < clock_timestamp() - kept
    )
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    EXECUTE format('DROP TABLE journal_%s', oldest);
    DELETE FROM journal_partitions AS p WHERE p.first_position = oldest;
    RETURN 1;
END;
$$;

SELECT journal_extend();

COMMIT;
