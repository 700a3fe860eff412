BEGIN;
SET LOCAL lock_timeout = '2s';

-- An answer is for the customer; the other kinds are what staff ask the AI for.
CREATE TYPE ai_response_kind AS ENUM ('answer', 'suggest_reply', 'summarize', 'triage');

CREATE TYPE ai_response_status AS ENUM ('streaming', 'completed', 'failed', 'cancelled', 'superseded');

-- What staff have decided about a draft.
CREATE TYPE ai_review AS ENUM ('pending', 'published', 'discarded');

-- One generated answer for one turn of a ticket. The turn is a customer's message, or, where turn_message_id is null, the
-- ticket's description. The replica that holds the lease writes it; one that was handed over is nobody's until another
-- replica takes it. Every change of owner raises the attempt, and what an earlier owner still writes changes nothing.
-- crashes counts the owners that were lost without a hand-over. An answer that was generated again is superseded and keeps
-- its message. requested_by is whose budget the response counts against. has_events says that the sweep has not deleted its
-- events yet.
--
-- customer_id is whose ticket it is, if the customer sees the response; only staff see one without it: drafts and what staff
-- ask for. Such a response keeps its text in content instead of a message. An answer with a review is a draft: pending until
-- staff publish it, as it is or edited, or discard it. edit_distance is how many words of a published draft staff changed.
-- prompt_version is the prompt that it was written by; NULL is the built-in one. ticket_version is which state of the ticket,
-- its notes included, staff asked about.
--
-- Every commit of its text updates a response. Half of each page stays free, so that its new versions fit beside the old ones and
-- no index changes.
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
    CONSTRAINT ai_responses_reviewed_by_fkey FOREIGN KEY (reviewed_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT ai_responses_attempt_check CHECK (attempt BETWEEN 1 AND 1000),
    CONSTRAINT ai_responses_crashes_check CHECK (crashes BETWEEN 0 AND 1000),
    CONSTRAINT ai_responses_model_check CHECK (char_length(model) BETWEEN 1 AND 128),
    CONSTRAINT ai_responses_error_code_check CHECK (char_length(error_code) BETWEEN 1 AND 64),
    CONSTRAINT ai_responses_finish_reason_check CHECK (finish_reason IN ('stop', 'length')),
    CONSTRAINT ai_responses_content_check CHECK (octet_length(content) BETWEEN 1 AND 65536),
    CONSTRAINT ai_responses_edit_distance_check CHECK (edit_distance >= 0),
    CONSTRAINT ai_responses_prompt_version_check CHECK (prompt_version >= 1),
    CONSTRAINT ai_responses_completed_check CHECK (
        (status <> 'completed' OR finish_reason IS NOT NULL)
        AND (finish_reason IS NULL OR status IN ('completed', 'superseded'))
        AND (message_id IS NULL OR finish_reason IS NOT NULL)
        AND (customer_id IS NULL OR (message_id IS NULL) = (finish_reason IS NULL))
    ),
    CONSTRAINT ai_responses_staff_only_check CHECK (
        (customer_id IS NULL OR (kind = 'answer' AND review IS NULL AND content IS NULL))
        AND (review IS NULL OR (kind = 'answer' AND customer_id IS NULL))
        AND (message_id IS NULL OR (kind = 'answer' AND review IS DISTINCT FROM 'pending'))
    ),
    CONSTRAINT ai_responses_review_check CHECK (
        (coalesce(review, 'pending') = 'pending') = (reviewed_at IS NULL)
        AND coalesce(review = 'published', false) = (edit_distance IS NOT NULL)
    ),
    CONSTRAINT ai_responses_finished_check CHECK ((status = 'streaming') = (finished_at IS NULL))
) WITH (fillfactor = 50);

-- At most one response of each kind is written in a ticket at a time, one draft waits for review, and one answer to a turn
-- stands, also while another one is written. The first index also finds all that are being written, however many have ended.
CREATE UNIQUE INDEX ai_responses_streaming_key ON ai_responses (ticket_id, kind) WHERE status = 'streaming';
CREATE UNIQUE INDEX ai_responses_review_key ON ai_responses (ticket_id) WHERE status = 'completed' AND review = 'pending';
CREATE UNIQUE INDEX ai_responses_turn_key ON ai_responses (ticket_id, turn_message_id) NULLS NOT DISTINCT
    WHERE status = 'completed' AND message_id IS NOT NULL;
CREATE UNIQUE INDEX ai_responses_message_id_key ON ai_responses (message_id);
CREATE INDEX ai_responses_turn_message_id_idx ON ai_responses (turn_message_id);
CREATE INDEX ai_responses_ticket_id_created_at_id_idx ON ai_responses (ticket_id, created_at DESC, id DESC);
CREATE INDEX ai_responses_requested_by_created_at_idx ON ai_responses (requested_by, created_at DESC);

-- What is old enough to lose its events. The sweep looks only at responses that still have them.
CREATE INDEX ai_responses_finished_at_id_idx ON ai_responses (finished_at, id) WHERE has_events;

-- New tickets that the AI sorts by itself, where the desk wants that. ai_response_id is the triage that was asked for. The row
-- goes when that has ended, or earlier when staff sort the ticket: the AI never changes what they have decided.
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

-- The events of a response, numbered without holes. Readers are only ever sent what stands here. retry_after_seconds is the
-- wait that upstream asked for, on the event that ends a failed response.
CREATE TABLE ai_response_events (
    ai_response_id      uuid          NOT NULL,
    seq                 bigint        NOT NULL,
    kind                ai_event_kind NOT NULL,
    attempt             integer       NOT NULL,
    content             text          NOT NULL,
    retry_after_seconds integer,
    CONSTRAINT ai_response_events_pkey PRIMARY KEY (ai_response_id, seq),
    CONSTRAINT ai_response_events_ai_response_id_fkey FOREIGN KEY (ai_response_id)
        REFERENCES ai_responses (id) ON DELETE CASCADE,
    CONSTRAINT ai_response_events_seq_check CHECK (seq >= 1),
    CONSTRAINT ai_response_events_content_check CHECK (
        octet_length(content) <= 65536 AND (kind IN ('delta', 'failed')) = (content <> '')
    ),
    CONSTRAINT ai_response_events_retry_after_check CHECK (retry_after_seconds > 0)
);

COMMIT;
