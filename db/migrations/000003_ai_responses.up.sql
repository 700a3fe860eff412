BEGIN;
SET LOCAL lock_timeout = '2s';

-- An answer is for the customer. Staff request the other kinds.
CREATE TYPE ai_response_kind AS ENUM ('answer', 'suggest_reply', 'summarize', 'triage');

CREATE TYPE ai_response_status AS ENUM ('streaming', 'completed', 'failed', 'cancelled', 'superseded');

-- What staff have decided about a draft.
CREATE TYPE ai_review AS ENUM ('pending', 'published', 'discarded');

-- One generated answer to one turn of a ticket. The turn is a customer's message or, where turn_message_id is null, the
-- ticket's description. The replica that holds the lease writes the response. A response that was handed over has no
-- owner until another replica claims it. Every change of owner raises attempt, so that writes of earlier owners have no
-- effect. crashes counts the owners that were lost without a hand-over. An answer that was generated again is
-- superseded and keeps its message. The response counts against the budget of requested_by. has_events is true until
-- the sweep deletes its events.
--
-- customer_id is the ticket's customer if they see the response. It is NULL for responses that only staff see: drafts,
-- and what staff requested. Their text is in content instead of a message. An answer with a review is a draft: pending
-- until staff publish it, edited or not, or discard it. edit_distance is the number of words that staff changed before
-- they published it. prompt_version names the prompt; NULL is the built-in one. ticket_version is the state of the
-- ticket, including its notes, about which staff asked.
--
-- Every commit of an answer's text updates its row. Half of each page stays free, so that the row's new versions fit
-- beside the old ones and no index changes.
CREATE TABLE ai_responses (
    id                uuid               NOT NULL,
    ticket_id         uuid               NOT NULL,
    turn_message_id   uuid,
    status            ai_response_status NOT NULL DEFAULT 'streaming',
    attempt           integer            NOT NULL DEFAULT 1,
    model             text               NOT NULL,
    last_seq          bigint             NOT NULL DEFAULT 0,
    message_id        uuid,
    finish_reason     text,
    error_code        text,
    prompt_tokens     integer            NOT NULL DEFAULT 0,
    completion_tokens integer            NOT NULL DEFAULT 0,
    reasoning_tokens  integer            NOT NULL DEFAULT 0,
    cached_tokens     integer            NOT NULL DEFAULT 0,
    lease_expires_at  timestamptz        NOT NULL,
    created_at        timestamptz        NOT NULL DEFAULT now(),
    first_token_at    timestamptz,
    finished_at       timestamptz,
    owner_id          uuid,
    requested_by      uuid,
    crashes           integer            NOT NULL DEFAULT 0,
    has_events        boolean            NOT NULL DEFAULT true,
    kind              ai_response_kind   NOT NULL DEFAULT 'answer',
    customer_id       uuid,
    content           text,
    review            ai_review,
    reviewed_by       uuid,
    reviewed_at       timestamptz,
    edit_distance     integer,
    prompt_version    integer,
    ticket_version    bigint,
    CONSTRAINT ai_responses_pkey PRIMARY KEY (id),
    CONSTRAINT ai_responses_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES tickets (id) ON DELETE CASCADE,
    CONSTRAINT ai_responses_turn_message_id_fkey FOREIGN KEY (turn_message_id) REFERENCES messages (id) ON DELETE CASCADE,
    CONSTRAINT ai_responses_message_id_fkey FOREIGN KEY (message_id) REFERENCES messages (id) ON DELETE CASCADE,
    CONSTRAINT ai_responses_requested_by_fkey FOREIGN KEY (requested_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ai_responses_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES users (id),
    CONSTRAINT ai_responses_reviewed_by_fkey FOREIGN KEY (reviewed_by) REFERENCES users (id) ON DELETE SET NULL
) WITH (fillfactor = 50);

-- The rules that every AI response satisfies; see check_ticket.
CREATE FUNCTION check_ai_response() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (
        NEW.attempt BETWEEN 1 AND 1000
        AND NEW.crashes BETWEEN 0 AND 1000
        AND char_length(NEW.model) BETWEEN 1 AND 128
        AND char_length(NEW.error_code) BETWEEN 1 AND 64
        AND octet_length(NEW.content) BETWEEN 1 AND 65536
        AND NEW.edit_distance >= 0
        AND NEW.prompt_version >= 1
        -- An end, and what the customer got of it.
        AND (NEW.status = 'streaming') = (NEW.finished_at IS NULL)
        AND NEW.finish_reason IN ('stop', 'length')
        AND (NEW.status <> 'completed' OR NEW.finish_reason IS NOT NULL)
        AND (NEW.finish_reason IS NULL OR NEW.status IN ('completed', 'superseded'))
        AND (NEW.message_id IS NULL OR NEW.finish_reason IS NOT NULL)
        AND (NEW.customer_id IS NULL OR (NEW.message_id IS NULL) = (NEW.finish_reason IS NULL))
        -- Responses that only staff see.
        AND (NEW.customer_id IS NULL OR (NEW.kind = 'answer' AND NEW.review IS NULL AND NEW.content IS NULL))
        AND (NEW.review IS NULL OR (NEW.kind = 'answer' AND NEW.customer_id IS NULL))
        AND (NEW.message_id IS NULL OR (NEW.kind = 'answer' AND NEW.review IS DISTINCT FROM 'pending'))
        -- Drafts.
        AND (coalesce(NEW.review, 'pending') = 'pending') = (NEW.reviewed_at IS NULL)
        AND coalesce(NEW.review = 'published', false) = (NEW.edit_distance IS NOT NULL)
    ) THEN
        RAISE check_violation USING MESSAGE = 'an AI response breaks a rule', TABLE = 'ai_responses', CONSTRAINT = 'ai_responses_check';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER ai_responses_check AFTER INSERT OR UPDATE OF
    attempt, crashes, model, error_code, content, edit_distance, prompt_version, status, finished_at, finish_reason,
    message_id, customer_id, kind, review, reviewed_at
    ON ai_responses FOR EACH ROW EXECUTE FUNCTION check_ai_response();

-- A ticket has at most one streaming response of each kind, one draft that waits for review, and one current answer per
-- turn, even while another one is being written. The first index also finds all streaming responses quickly.
CREATE UNIQUE INDEX ai_responses_streaming_key ON ai_responses (ticket_id, kind) WHERE status = 'streaming';
CREATE UNIQUE INDEX ai_responses_review_key ON ai_responses (ticket_id) WHERE status = 'completed' AND review = 'pending';
CREATE UNIQUE INDEX ai_responses_turn_key ON ai_responses (ticket_id, turn_message_id) NULLS NOT DISTINCT
    WHERE status = 'completed' AND message_id IS NOT NULL;
CREATE UNIQUE INDEX ai_responses_message_id_key ON ai_responses (message_id);
CREATE INDEX ai_responses_turn_message_id_idx ON ai_responses (turn_message_id);
CREATE INDEX ai_responses_ticket_id_created_at_id_idx ON ai_responses (ticket_id, created_at DESC, id DESC);
CREATE INDEX ai_responses_requested_by_created_at_idx ON ai_responses (requested_by, created_at DESC);

-- For the sweep, which deletes the events of old responses.
CREATE INDEX ai_responses_finished_at_id_idx ON ai_responses (finished_at, id) WHERE has_events;

-- New tickets that the AI will triage, if automatic triage is on. ai_response_id is the triage that was started. The
-- row is deleted when the triage ends, or earlier when staff triage the ticket: the AI never overrides their decision.
CREATE TABLE due_triages (
    ticket_id      uuid        NOT NULL,
    ai_response_id uuid,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT due_triages_pkey PRIMARY KEY (ticket_id),
    CONSTRAINT due_triages_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES tickets (id) ON DELETE CASCADE,
    CONSTRAINT due_triages_ai_response_id_fkey FOREIGN KEY (ai_response_id) REFERENCES ai_responses (id) ON DELETE CASCADE
);
CREATE INDEX due_triages_ai_response_id_idx ON due_triages (ai_response_id);
CREATE INDEX due_triages_created_at_ticket_id_idx ON due_triages (created_at, ticket_id);

CREATE TYPE ai_event_kind AS ENUM ('delta', 'reset', 'done', 'failed');

-- The events of a response, numbered without gaps. Readers receive only events in this table. retry_after_seconds is
-- the wait that the upstream asked for; the event that ends a failed response has it.
CREATE TABLE ai_response_events (
    ai_response_id      uuid          NOT NULL,
    seq                 bigint        NOT NULL,
    kind                ai_event_kind NOT NULL,
    attempt             integer       NOT NULL,
    content             text          NOT NULL,
    retry_after_seconds integer,
    CONSTRAINT ai_response_events_pkey PRIMARY KEY (ai_response_id, seq),
    CONSTRAINT ai_response_events_ai_response_id_fkey FOREIGN KEY (ai_response_id)
        REFERENCES ai_responses (id) ON DELETE CASCADE
);

-- The rules that every event satisfies; see check_ticket.
CREATE FUNCTION is_valid_ai_response_event(e ai_response_events) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN e.seq >= 1
        AND octet_length(e.content) <= 65536
        AND (e.kind IN ('delta', 'failed')) = (e.content <> '')
        AND e.retry_after_seconds > 0;
END
$$;

ALTER TABLE ai_response_events
    ADD CONSTRAINT ai_response_events_check CHECK (is_valid_ai_response_event(ai_response_events));

-- When the customer of a ticket began to wait for a reply by staff that has not come, or NULL. A draft that staff have
-- published is one.
CREATE FUNCTION unanswered_since(t tickets) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN replied.at IS NULL THEN t.created_at ELSE (
        SELECT min(m.created_at)
        FROM messages AS m
        WHERE m.ticket_id = t.id AND m.author = 'customer' AND NOT m.is_note AND m.created_at > replied.at
    ) END
    FROM (
        SELECT greatest(
            (SELECT max(m.created_at) FROM messages AS m WHERE m.ticket_id = t.id AND m.author = 'agent' AND NOT m.is_note),
            (
                SELECT max(m.created_at)
                FROM ai_responses AS r
                JOIN messages AS m ON m.id = r.message_id
                WHERE r.ticket_id = t.id AND r.review = 'published'
            )
        ) AS at
    ) AS replied
$$;

COMMIT;
