BEGIN;
SET LOCAL lock_timeout = '2s';

-- The language of the index: a text search configuration of PostgreSQL. After a change of language, documents up to the
-- number rebuild_until are indexed again; those up to rebuilt_to are done. The type is not regconfig, because
-- pg_upgrade refuses such columns.
CREATE TABLE search_index (
    id            boolean NOT NULL DEFAULT true,
    language      text    NOT NULL DEFAULT 'english',
    rebuilt_to    bigint  NOT NULL DEFAULT 0,
    rebuild_until bigint  NOT NULL DEFAULT 0,
    CONSTRAINT search_index_pkey PRIMARY KEY (id),
    CONSTRAINT search_index_id_check CHECK (id),
    CONSTRAINT search_index_language_check CHECK (char_length(language) BETWEEN 1 AND 63)
);

INSERT INTO search_index DEFAULT VALUES;

-- The words of a ticket or message, by its id. number is the order of indexing. customer_id is the customer who may
-- find it; without one, only staff find it. The words are not in the row of the text, so that updates of tickets do not
-- touch the index.
CREATE TABLE search_documents (
    id          uuid        NOT NULL,
    number      bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    customer_id uuid,
    created_at  timestamptz NOT NULL,
    words       tsvector    NOT NULL,
    CONSTRAINT search_documents_pkey PRIMARY KEY (id)
);

CREATE INDEX search_documents_number_idx ON search_documents (number);

-- The keys of a document besides its words: its customer, and the blocks that contain its number. A block of level 'a'
-- has 1,024 numbers, and each next level four times as many.
CREATE FUNCTION search_keys(number bigint, customer_id uuid) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT ARRAY[
        coalesce(customer_id::text, ''),
        'a' || (number >> 10)::text, 'b' || (number >> 12)::text, 'c' || (number >> 14)::text, 'd' || (number >> 16)::text,
        'e' || (number >> 18)::text, 'f' || (number >> 20)::text, 'g' || (number >> 22)::text
    ]
$$;

-- The blocks of all documents, from the newest to the oldest, each about as large as all before it together, and the number
-- that its documents come before. A search reads one block after the other and stops when it has enough, so that a
-- word in every document costs no more than a rare one.
CREATE FUNCTION search_blocks(newest bigint) RETURNS TABLE (key text, before bigint) LANGUAGE plpgsql IMMUTABLE ROWS 20
AS $$
DECLARE
    bits  integer := 10;
    block bigint := newest >> bits;
    first bigint;
BEGIN
    FOR level IN ascii('a')..ascii('g') LOOP
        -- Down to the start of a block of the next level, and at least one whole block of this level.
        first := CASE WHEN level = ascii('g') OR block < 4 THEN 0 ELSE (block - 1) >> 2 << 2 END;
        RETURN QUERY SELECT chr(level) || i, (i + 1) << bits FROM generate_series(block, first, -1) AS i;
        EXIT WHEN first = 0;
        block := (first >> 2) - 1;
        bits := bits + 2;
    END LOOP;
END
$$;

-- Turns a query into one that the index can answer. The index knows the words of a phrase, but not their order.
CREATE FUNCTION search_words(query tsquery) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN query::text ~ '<(-|[0-9]+)>'
        THEN regexp_replace(querytree(query), '<(-|[0-9]+)>', '&', 'g')::tsquery
        ELSE query
    END
$$;

-- A search reads the whole pending list, so the limit is low. Only the indexer writes here, in batches.
CREATE INDEX search_documents_words_idx ON search_documents
    USING gin (words, search_keys(number, customer_id)) WITH (gin_pending_list_limit = 256);

-- How many documents a query finds, by PostgreSQL's statistics. It is volatile because EXPLAIN needs that.
CREATE FUNCTION search_estimate(query tsquery) RETURNS bigint LANGUAGE plpgsql
AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) SELECT FROM search_documents WHERE words @@ $1' INTO plan USING query;
    RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END
$$;

-- The documents that match a query, and their rank, which is NULL if a document has the words of a phrase in another
-- order. seen_by is the customer who searches, or NULL for staff, who also find notes. Considers at most the newest
-- max_candidates matches. A query without a required word finds nothing.
--
-- The index reads a list of documents for each word and for the block, which takes time that grows with the longest list. A word
-- in a fifth of all documents is therefore checked in the rows that the other words find. When at least 16,384 of the newest
-- documents have been read, and they and the statistics say that few matches are left, staff get these without blocks.
CREATE FUNCTION search_matches(asked text, seen_by uuid, max_candidates integer)
RETURNS TABLE (id uuid, created_at timestamptz, rank real, language regconfig, query tsquery) LANGUAGE plpgsql ROWS 20
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    spoken  CONSTANT regconfig := (SELECT s.language FROM search_index AS s);
    exact   CONSTANT tsquery := websearch_to_tsquery(spoken, asked);
    loose   CONSTANT tsquery := search_words(exact);
    newest  CONSTANT bigint := (SELECT last_value FROM search_documents_number_seq);
    terms   CONSTANT text[] := CASE WHEN loose::text ~ '[!|(]' THEN ARRAY[loose::text] ELSE string_to_array(loose::text, ' & ') END;
    indexed tsquery;
    rarest  bigint;
    block   record;
    is_rest boolean;
    missing integer := max_candidates;
    added   integer;
BEGIN
    IF querytree(exact) IN ('', 'T') THEN
        RETURN;
    END IF;
    SELECT coalesce(string_agg(t.term, ' & ') FILTER (WHERE t.estimate < newest / 5), loose::text), min(t.estimate)
    INTO indexed, rarest
    FROM (SELECT u.term, search_estimate(u.term::tsquery) AS estimate FROM unnest(terms) AS u (term) OFFSET 0) AS t;
    FOR block IN SELECT b.key, b.before FROM search_blocks(newest) AS b LOOP
        is_rest := seen_by IS NULL AND rarest <= 20000 AND newest - block.before >= 16384
            AND (max_candidates - missing + 1) * newest <= 3000 * (newest - block.before);
        RETURN QUERY
        SELECT c.id, c.created_at, CASE WHEN c.words @@ exact THEN ts_rank(c.words, exact) END, spoken, exact
        FROM (
            SELECT d.id, d.created_at, d.words
            FROM (
                SELECT s.id, s.number, s.created_at, s.words
                FROM search_documents AS s
                WHERE NOT is_rest AND s.words @@ indexed
                    AND search_keys(s.number, s.customer_id) @> array_remove(ARRAY[block.key, seen_by::text], NULL)
                UNION ALL
                SELECT s.id, s.number, s.created_at, s.words
                FROM search_documents AS s
                WHERE is_rest AND s.words @@ indexed
                OFFSET 0 -- The conditions below are for rows, and not for the index.
            ) AS d
            WHERE d.number < block.before AND d.words @@ loose
            ORDER BY d.number DESC
            LIMIT missing
        ) AS c;
        GET DIAGNOSTICS added = ROW_COUNT;
        missing := missing - added;
        EXIT WHEN missing <= 0 OR is_rest;
    END LOOP;
END
$$;

-- The tickets and messages that wait for the indexer. Writing a text costs only this row.
CREATE TABLE search_queue (
    number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    id     uuid   NOT NULL,
    CONSTRAINT search_queue_pkey PRIMARY KEY (number)
);

-- Triggers ensure that every text that any statement writes can be found, and that no removed text can. Removing a text
-- waits for the indexer, which may have read it and be about to store its words.
CREATE FUNCTION queue_for_search() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_advisory_xact_lock_shared(1702392943);
        DELETE FROM search_documents WHERE id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO search_queue (id) VALUES (NEW.id);
    END IF;
    RETURN NULL;
END
$$;

-- Indexes up to max_rows of the texts that have waited longest, except the first skip_rows, and returns how many it
-- took. It waits until nobody is removing texts; its later statements see what is left.
CREATE FUNCTION index_queued(max_rows integer, skip_rows integer) RETURNS bigint LANGUAGE plpgsql
AS $$
DECLARE
    ids uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock(1702392943);
    WITH taken AS (
        DELETE FROM search_queue
        WHERE number = ANY (ARRAY(SELECT q.number FROM search_queue AS q ORDER BY q.number LIMIT max_rows OFFSET skip_rows))
        RETURNING number, id
    )
    SELECT array_agg(taken.id ORDER BY taken.number) INTO ids FROM taken;
    INSERT INTO search_documents (id, customer_id, created_at, words)
    SELECT
        coalesce(m.id, t.id), CASE WHEN m.is_note THEN NULL ELSE t.user_id END, coalesce(m.created_at, t.created_at),
        CASE WHEN m.id IS NULL
            THEN setweight(to_tsvector(s.language::regconfig, t.title), 'A') || to_tsvector(s.language::regconfig, t.description)
            ELSE to_tsvector(s.language::regconfig, m.content)
        END
    FROM (SELECT q.id, min(q.number) AS number FROM unnest(ids) WITH ORDINALITY AS q (id, number) GROUP BY q.id) AS q
    CROSS JOIN search_index AS s
    LEFT JOIN LATERAL (SELECT * FROM messages AS m WHERE m.id = q.id OFFSET 0) AS m ON true
    CROSS JOIN LATERAL (SELECT * FROM tickets AS t WHERE t.id = coalesce(m.ticket_id, q.id) OFFSET 0) AS t
    ORDER BY q.number
    ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, words = excluded.words;
    RETURN coalesce(cardinality(ids), 0);
END
$$;

CREATE TRIGGER tickets_search AFTER INSERT OR DELETE ON tickets
    FOR EACH ROW EXECUTE FUNCTION queue_for_search();
CREATE TRIGGER tickets_search_update AFTER UPDATE OF title, description, user_id ON tickets
    FOR EACH ROW WHEN ((OLD.title, OLD.description, OLD.user_id) IS DISTINCT FROM (NEW.title, NEW.description, NEW.user_id))
    EXECUTE FUNCTION queue_for_search();
CREATE TRIGGER messages_search AFTER INSERT OR DELETE OR UPDATE OF content, ticket_id, is_note ON messages
    FOR EACH ROW EXECUTE FUNCTION queue_for_search();

INSERT INTO search_queue (id) SELECT id FROM tickets ORDER BY created_at;
INSERT INTO search_queue (id) SELECT id FROM messages ORDER BY created_at;

-- The next max_walked tickets that a filter selects, in the order of a sort, for staff lists. Each pair of them is a walk along an
-- index, or sorts the few tickets that a subquery names. The statement is put together from the texts below, and planned for
-- its actual parameters. It considers at most 10,000 of the tickets with a running answer or with a draft to review. OFFSET 0
-- makes PostgreSQL look tickets up one by one. The function is volatile because the planner would call a stable function itself.
CREATE FUNCTION walk_tickets(
    filter text, of_value text, of_ids uuid[], sort text, after_at timestamptz, after_id uuid, after_priority ticket_priority,
    created_from timestamptz, waiting_to timestamptz, max_walked integer
) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    named text := CASE filter
        WHEN 'answering' THEN
            'SELECT ticket_id FROM ai_responses WHERE status = ''streaming'' AND kind = ''answer'' ORDER BY ticket_id LIMIT 10000'
        WHEN 'needs_review' THEN
            'SELECT ticket_id FROM ai_responses WHERE status = ''completed'' AND review = ''pending'' ORDER BY ticket_id LIMIT 10000'
        WHEN 'found' THEN 'SELECT unnest($2)'
    END;
    source text := CASE
        WHEN named IS NOT NULL THEN
            format('(%s) AS n (id) CROSS JOIN LATERAL (SELECT o.* FROM tickets AS o WHERE o.id = n.id OFFSET 0) AS t', named)
        WHEN filter = 'tag' THEN '(SELECT ticket_id AS id, created_at, tag FROM ticket_tags) AS t'
        ELSE 'tickets AS t'
    END;
    condition text := CASE filter
        WHEN 'status' THEN 't.status = $1::ticket_status'
        WHEN 'unresolved' THEN 't.status IN (''open'', ''pending'')'
        WHEN 'unassigned' THEN 't.status IN (''open'', ''pending'') AND t.assignee_id IS NULL'
        WHEN 'assignee' THEN 't.assignee_id = $1::uuid'
        WHEN 'team' THEN 't.team_id = $1::uuid'
        WHEN 'requester' THEN 't.user_id = $1::uuid'
        WHEN 'external_id' THEN 't.external_id = $1'
        WHEN 'tag' THEN 't.tag = $1'
        WHEN 'handed_off' THEN 't.handoff_reason IS NOT NULL'
        WHEN 'snoozed' THEN 't.snoozed_until IS NOT NULL'
        ELSE 'true'
    END;
    rest text := CASE sort
        WHEN 'newest' THEN '(t.created_at, t.id) < ($3, $4) AND t.created_at >= $6 ORDER BY t.created_at DESC, t.id DESC'
        WHEN 'waiting' THEN '(t.waiting_since, t.id) > ($3, $4) AND t.waiting_since < $7 ORDER BY t.waiting_since, t.id'
        WHEN 'priority' THEN 't.status IN (''open'', ''pending'') AND (t.priority, t.created_at, t.id) > ($5, $3, $4)'
            || ' ORDER BY t.priority, t.created_at, t.id'
    END;
    ids uuid[];
BEGIN
    EXECUTE format('SELECT ARRAY(SELECT t.id FROM %s WHERE %s AND %s LIMIT $8)', source, condition, rest)
        INTO ids USING of_value, of_ids, after_at, after_id, after_priority, created_from, waiting_to, max_walked;
    RETURN ids;
END;
$$;

-- For reports: the tickets of a period, and small indexes by time on tables that grow in the order of time.
CREATE INDEX tickets_first_response_at_idx ON tickets (first_response_at) WHERE first_response_at IS NOT NULL;
CREATE INDEX tickets_resolved_at_idx ON tickets (resolved_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX ai_responses_created_at_idx ON ai_responses USING brin (created_at) WITH (pages_per_range = 32);
CREATE INDEX message_feedback_created_at_idx ON message_feedback USING brin (created_at) WITH (pages_per_range = 32);
CREATE INDEX journal_occurred_at_idx ON journal USING brin (occurred_at) WITH (pages_per_range = 32);

-- One row: within how many minutes tickets of each priority should be answered and resolved, such as {"urgent":
-- {"first_response_minutes": 30, "resolution_minutes": 480}}.
CREATE TABLE sla (
    id      boolean NOT NULL DEFAULT true,
    version bigint  NOT NULL DEFAULT 1,
    targets jsonb   NOT NULL DEFAULT '{}',
    CONSTRAINT sla_pkey PRIMARY KEY (id),
    CONSTRAINT sla_id_check CHECK (id),
    CONSTRAINT sla_version_check CHECK (version >= 1),
    CONSTRAINT sla_targets_check CHECK (jsonb_typeof(targets) = 'object' AND octet_length(targets::text) <= 4096)
);

INSERT INTO sla DEFAULT VALUES;

-- sla_noted lists the steps that are in the journal. sla_check_at is when the next step is due.
ALTER TABLE tickets
    ADD COLUMN first_response_due_at timestamptz,
    ADD COLUMN resolution_due_at     timestamptz,
    ADD COLUMN sla_noted             text[] NOT NULL DEFAULT '{}',
    ADD COLUMN sla_check_at          timestamptz;

CREATE INDEX tickets_sla_check_at_idx ON tickets (sla_check_at) WHERE sla_check_at IS NOT NULL;

-- The steps of a ticket that are due or still to come: a warning when a fifth of the time is left, and the breach.
CREATE FUNCTION sla_steps(ticket tickets) RETURNS TABLE (type text, target text, due_at timestamptz, happens_at timestamptz)
LANGUAGE sql STABLE
AS $$
    SELECT step.type, unmet.target, unmet.due_at,
        CASE step.type WHEN 'sla.warning' THEN unmet.due_at - (unmet.due_at - ticket.created_at) / 5 ELSE unmet.due_at END
    FROM (
        SELECT 'first_response', ticket.first_response_due_at WHERE ticket.first_response_at IS NULL
        UNION ALL
        SELECT 'resolution', ticket.resolution_due_at
    ) AS unmet (target, due_at)
    CROSS JOIN (VALUES ('sla.warning'), ('sla.breached')) AS step (type)
    WHERE ticket.status IN ('open', 'pending') AND unmet.due_at IS NOT NULL
        AND step.type || ' ' || unmet.target <> ALL (ticket.sla_noted)
        AND NOT (step.type = 'sla.warning' AND unmet.due_at <= statement_timestamp())
$$;

-- Sets a ticket's due times from its priority and the current targets.
CREATE FUNCTION set_sla_times() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    minutes jsonb;
BEGIN
    IF TG_OP = 'INSERT' OR NEW.priority <> OLD.priority THEN
        minutes := (SELECT s.targets -> NEW.priority::text FROM sla AS s);
        NEW.first_response_due_at := NEW.created_at + (minutes ->> 'first_response_minutes')::integer * interval '1 minute';
        NEW.resolution_due_at := NEW.created_at + (minutes ->> 'resolution_minutes')::integer * interval '1 minute';
    END IF;
    NEW.sla_check_at := NULL;
    IF NEW.first_response_due_at IS NOT NULL OR NEW.resolution_due_at IS NOT NULL THEN
        NEW.sla_check_at := (SELECT min(step.happens_at) FROM sla_steps(NEW) AS step);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER tickets_sla BEFORE INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION set_sla_times();
CREATE TRIGGER tickets_sla_update BEFORE UPDATE OF priority, status ON tickets
    FOR EACH ROW WHEN (OLD.priority <> NEW.priority OR OLD.status <> NEW.status) EXECUTE FUNCTION set_sla_times();

-- Adds the due steps of up to max_rows tickets to the journal, each step once, and returns the number of tickets. The
-- row lock returns each ticket's current state, and keeps the order of its entries.
CREATE FUNCTION sla_sweep(max_rows integer) RETURNS integer LANGUAGE plpgsql
AS $$
DECLARE
    ticket tickets;
    seen integer := 0;
BEGIN
    FOR ticket IN
        SELECT t.* FROM tickets AS t
        WHERE t.sla_check_at <= statement_timestamp()
        ORDER BY t.sla_check_at
        LIMIT max_rows
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        WITH written AS (
            INSERT INTO journal_outbox (type, actor_kind, ticket_id, data)
            SELECT step.type, 'system', ticket.id, jsonb_build_object(
                'target', step.target, 'due_at', to_char(step.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            )
            FROM sla_steps(ticket) AS step
            WHERE step.happens_at <= statement_timestamp()
            ORDER BY step.happens_at
            RETURNING type || ' ' || (data ->> 'target') AS name
        )
        SELECT ticket.sla_noted || coalesce(array_agg(written.name), '{}') INTO ticket.sla_noted FROM written;
        UPDATE tickets AS t
        SET sla_noted = ticket.sla_noted, sla_check_at = (SELECT min(step.happens_at) FROM sla_steps(ticket) AS step)
        WHERE t.id = ticket.id;
        seen := seen + 1;
    END LOOP;
    RETURN seen;
END
$$;

COMMIT;
