BEGIN;
SET LOCAL lock_timeout = '2s';

CREATE TYPE actor_kind AS ENUM ('customer', 'agent', 'ai', 'service', 'system');

-- What happened on the desk and is not yet in the journal. Each entry is written in the transaction of its change. The
-- sequencer moves entries to the journal in the order of id. Ids are not cached, so that two entries of one ticket,
-- whose writers held the ticket's lock, keep their order. subject_id is what the entry is about: a message, an AI
-- response, an account. customer_id is the customer who may see the entry; without one, only staff see it. data holds
-- ids and facts, never what people wrote: readers join that from its own row, so that redaction applies to it. There
-- are no foreign keys, because an entry outlives its subject.
--
-- There are no checks either: PostgreSQL prepares them for every statement, which takes longer than the insert itself.
-- The tests check the entries of all writers.
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
    CONSTRAINT journal_outbox_pkey PRIMARY KEY (id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 1000000);

-- What happened on the desk, in one order for all readers: position has no gaps, and no entry ever appears before one
-- that a reader has seen. Entries never change. Old ones are dropped with their partition.
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

-- For the entries of one ticket, and for those of one customer.
CREATE INDEX journal_ticket_id_position_idx ON journal (ticket_id, position) WHERE ticket_id IS NOT NULL;
CREATE INDEX journal_customer_id_position_idx ON journal (customer_id, position) WHERE customer_id IS NOT NULL;

-- Entries with the current texts of their messages and tickets, so that redaction and erasure apply here too.
CREATE VIEW journal_entries AS
SELECT j.*, m.content, t.title, t.description
FROM journal AS j
LEFT JOIN messages AS m ON m.id = j.subject_id AND j.type IN ('message.created', 'note.created')
LEFT JOIN tickets AS t ON t.id = j.ticket_id AND j.type = 'ticket.created';

-- One row: the position of the newest entry. The session that adds entries holds its lock.
CREATE TABLE journal_head (
    id       boolean NOT NULL DEFAULT true,
    position bigint  NOT NULL DEFAULT 0,
    CONSTRAINT journal_head_pkey PRIMARY KEY (id),
    CONSTRAINT journal_head_id_check CHECK (id),
    CONSTRAINT journal_head_position_check CHECK (position >= 0)
);

INSERT INTO journal_head DEFAULT VALUES;

-- The existing partitions, each for size positions from first_position on. The smallest first_position is the oldest
-- entry.
CREATE TABLE journal_partitions (
    first_position bigint NOT NULL,
    size           bigint NOT NULL,
    CONSTRAINT journal_partitions_pkey PRIMARY KEY (first_position),
    CONSTRAINT journal_partitions_size_check CHECK (size >= 1)
);

-- Adds a partition after the last one. A partition should last from a day to a week: the new one is twice as large as
-- the last one if that filled within a day, and half as large if that took more than a week. The caller holds the lock
-- of the head. Attaching a table, unlike creating a partition, does not block readers and writers.
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
    IF began > statement_timestamp() - interval '1 day' THEN
        size := least(size * 2, largest);
    ELSIF began < statement_timestamp() - interval '7 days' THEN
        size := greatest(size / 2, smallest);
    END IF;
    EXECUTE format('CREATE TABLE journal_%s (LIKE journal INCLUDING ALL)', first);
    EXECUTE format('ALTER TABLE journal ATTACH PARTITION journal_%s FOR VALUES FROM (%s) TO (%s)', first, first, first + size);
    INSERT INTO journal_partitions (first_position, size) VALUES (first, size);
END;
$$;

-- Moves up to max_rows committed entries from the outbox to the journal. Returns their number and the new head, or NULL
-- when another session holds the lock. Each statement below sees what was committed when it began, so the statements
-- after the lock see everything that the previous holder did. The caller runs all of this as one statement: if the
-- caller dies or freezes, the statement still ends and releases the lock. With an empty outbox the function takes no
-- lock and writes nothing.
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
        WHERE o.id = ANY (ARRAY(SELECT n.id FROM journal_outbox AS n ORDER BY n.id LIMIT max_rows))
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

-- Drops the oldest partition if its newest entry is older than kept, and returns the number of dropped partitions. It
-- gives up soon if a long read blocks it, because other readers queue behind it meanwhile.
CREATE FUNCTION journal_trim(kept interval) RETURNS integer LANGUAGE plpgsql SET lock_timeout = '500ms' AS $$
DECLARE
    oldest bigint;
BEGIN
    SELECT p.first_position INTO oldest
    FROM journal_partitions AS p
    WHERE p.first_position = (SELECT min(q.first_position) FROM journal_partitions AS q) AND EXISTS (
        SELECT FROM journal AS j
        WHERE j.position = p.first_position + p.size - 1 AND j.occurred_at < statement_timestamp() - kept
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

-- Supersedes the answers that a human message ends, for add_message.
CREATE FUNCTION supersede_answers(of_ticket uuid, author message_author, by_actor uuid, by_kind actor_kind) RETURNS void
LANGUAGE sql AS $$
    WITH superseded AS (
        UPDATE ai_responses AS r
        SET status = 'superseded',
            error_code = CASE WHEN r.status = 'streaming' THEN 'superseded' END,
            last_seq = r.last_seq + (r.status = 'streaming')::integer,
            finished_at = coalesce(r.finished_at, clock_timestamp())
        WHERE r.ticket_id = of_ticket AND r.kind = 'answer' AND (
            (r.status = 'streaming' AND (r.last_seq = 0 OR r.review IS NOT NULL OR author = 'agent'))
            OR (r.status = 'completed' AND r.review = 'pending')
        )
        RETURNING r.id, r.last_seq, r.attempt, r.customer_id, r.finish_reason IS NULL AS unfinished
    ),
    logged AS (
        INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
        SELECT s.id, s.last_seq, 'failed', s.attempt, 'superseded'
        FROM superseded AS s
        WHERE s.unfinished
    )
    INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id, data)
    SELECT 'ai_response.superseded', by_kind, by_actor, of_ticket, s.id, s.customer_id, jsonb_build_object('kind', 'answer')
    FROM superseded AS s
$$;

-- Adds a human message to a ticket that the actor sees and that is not closed, and updates the ticket's version and
-- times. The function locks the ticket, so its statements see everything that earlier holders of the lock committed,
-- and the message comes last in the conversation. A customer's message reopens a pending or resolved ticket, and wakes
-- a snoozed one. A human always wins: an AI response that is being written is not published, and a draft no longer
-- waits for review. One exception: a customer's message does not end an answer of which the customer has already seen a
-- part. Each of these changes adds a journal entry. The function returns no row, and changes nothing, when there is no
-- such ticket, or when the account that the message counts for has used up its budget for the day.
--
-- It is a function rather than one statement because a function skips the work for rare cases. It locks the ticket for
-- less than half as long.
CREATE FUNCTION add_message(
    new_id uuid, to_ticket uuid, by_actor uuid, by_kind actor_kind, as_staff boolean, new_content text, new_client_id text,
    counts_for uuid, max_messages integer, max_bytes bigint, change_id uuid
) RETURNS SETOF messages LANGUAGE plpgsql AS $$
DECLARE
    customer uuid;
    was ticket_status;
    snoozed timestamptz;
    author message_author;
    written_at timestamptz;
    reopens boolean;
    wakes boolean;
    answered boolean;
BEGIN
    SELECT t.user_id, t.status, t.snoozed_until INTO customer, was, snoozed
    FROM tickets AS t
    WHERE t.id = to_ticket AND (t.user_id = by_actor OR as_staff)
    FOR NO KEY UPDATE;
    IF NOT FOUND OR was = 'closed' THEN
        RETURN;
    END IF;
    IF counts_for IS NOT NULL THEN
        INSERT INTO daily_usage AS u (user_id, day, tickets, messages, bytes)
        SELECT counts_for, (now() AT TIME ZONE 'UTC')::date, 0, 1, octet_length(new_content)
        WHERE octet_length(new_content) <= max_bytes
        ON CONFLICT (user_id, day) DO UPDATE
        SET messages = u.messages + 1, bytes = u.bytes + excluded.bytes
        WHERE u.messages < max_messages AND u.bytes + excluded.bytes <= max_bytes;
        IF NOT FOUND THEN
            RETURN;
        END IF;
    END IF;
    author := CASE WHEN customer = by_actor THEN 'customer' ELSE 'agent' END;
    reopens := author = 'customer' AND was IN ('pending', 'resolved');
    wakes := author = 'customer' AND snoozed IS NOT NULL;
    SELECT
        greatest(clock_timestamp(), (SELECT max(m.created_at) + interval '1 microsecond' FROM messages AS m WHERE m.ticket_id = to_ticket)),
        EXISTS (
            SELECT FROM ai_responses AS r
            WHERE r.ticket_id = to_ticket AND r.kind = 'answer'
                AND (r.status = 'streaming' OR (r.status = 'completed' AND r.review = 'pending'))
        )
    INTO written_at, answered;
    IF answered THEN
        PERFORM supersede_answers(to_ticket, author, by_actor, by_kind);
    END IF;
    RETURN QUERY
    WITH entered AS (
        INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id, data)
        VALUES ('message.created', by_kind, by_actor, to_ticket, new_id, customer, jsonb_build_object('author', author))
    ),
    raised AS (
        UPDATE tickets AS t
        SET
            version = t.version + 1,
            first_response_at = CASE WHEN author = 'agent' THEN coalesce(t.first_response_at, written_at) ELSE t.first_response_at END,
            waiting_since = CASE WHEN author = 'customer' THEN coalesce(t.waiting_since, written_at) END,
            updated_at = written_at,
            last_message_at = written_at
        WHERE t.id = to_ticket
    )
    INSERT INTO messages (id, ticket_id, author, author_id, content, created_at, client_id)
    VALUES (new_id, to_ticket, author, by_actor, new_content, written_at, new_client_id)
    RETURNING *;
    IF reopens THEN
        INSERT INTO ticket_status_changes (id, ticket_id, actor_id, from_status, to_status)
        VALUES (change_id, to_ticket, by_actor, was, 'open');
        INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, customer_id, data)
        VALUES (
            'ticket.status_changed', by_kind, by_actor, to_ticket, customer, jsonb_build_object('from', was, 'to', 'open')
        );
        UPDATE tickets AS t SET status = 'open', resolved_at = NULL WHERE t.id = to_ticket;
    END IF;
    IF wakes THEN
        INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, data)
        VALUES ('ticket.snoozed', by_kind, by_actor, to_ticket, jsonb_build_object(
            'from', to_char(snoozed AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'to', NULL
        ));
        UPDATE tickets AS t SET snoozed_until = NULL WHERE t.id = to_ticket;
    END IF;
END;
$$;

SELECT journal_extend();

COMMIT;
