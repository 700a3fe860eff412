BEGIN;
SET LOCAL lock_timeout = '2s';

-- The language in which texts are indexed and searched, a text search configuration of PostgreSQL's. After it has changed,
-- documents up to the number rebuild_until are indexed again, those up to rebuilt_to already are. It is no regconfig, which
-- pg_upgrade refuses.
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

-- The words of a ticket or a message, by its id. number is the order in which they were indexed. customer_id is who finds it
-- besides staff; only staff find what has none. It is apart from the text so that a ticket's many updates leave the index
-- alone.
CREATE TABLE search_documents (
    id          uuid        NOT NULL,
    number      bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    customer_id uuid,
    created_at  timestamptz NOT NULL,
    words       tsvector    NOT NULL,
    CONSTRAINT search_documents_pkey PRIMARY KEY (id)
);

CREATE INDEX search_documents_number_idx ON search_documents (number);

-- What a document is found by besides its words: its customer, and the blocks that its number lies in. Blocks of the level
-- 'a' have 1,024 numbers, those of each next level four times as many.
CREATE FUNCTION search_keys(number bigint, customer_id uuid) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT ARRAY[
        coalesce(customer_id::text, ''),
        'a' || (number >> 10)::text, 'b' || (number >> 12)::text, 'c' || (number >> 14)::text, 'd' || (number >> 16)::text,
        'e' || (number >> 18)::text, 'f' || (number >> 20)::text, 'g' || (number >> 22)::text
    ]
$$;

-- The blocks of all documents, from the newest to the oldest, each about as large as those before it together. A search reads
-- one after the other and stops when it has enough, so that a word in every document costs no more than a rare one.
CREATE FUNCTION search_blocks() RETURNS SETOF text LANGUAGE plpgsql STABLE ROWS 20
AS $$
DECLARE
    block bigint := (SELECT last_value >> 10 FROM search_documents_number_seq);
    first bigint;
BEGIN
    FOR level IN ascii('a')..ascii('g') LOOP
        -- Down to where a block of the next level begins, and one whole block of this level at least.
        first := CASE WHEN level = ascii('g') OR block < 4 THEN 0 ELSE (block - 1) >> 2 << 2 END;
        FOR i IN REVERSE block..first LOOP
            RETURN NEXT chr(level) || i;
        END LOOP;
        EXIT WHEN first = 0;
        block := (first >> 2) - 1;
    END LOOP;
END
$$;

-- Searches read what is pending in full, so there is little of it. Only the indexer writes, a batch at a time.
CREATE INDEX search_documents_words_idx ON search_documents
    USING gin (words, search_keys(number, customer_id)) WITH (gin_pending_list_limit = 256);

-- The tickets and messages that are to be indexed: writing them costs no more than this row. The indexer takes it from here.
CREATE TABLE search_queue (
    number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    id     uuid   NOT NULL,
    CONSTRAINT search_queue_pkey PRIMARY KEY (number)
);

-- Triggers, because a text that any statement writes must be found, and one that any statement removes must not.
CREATE FUNCTION queue_for_search() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM search_documents WHERE id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO search_queue (id) VALUES (NEW.id);
    END IF;
    RETURN NULL;
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

COMMIT;
