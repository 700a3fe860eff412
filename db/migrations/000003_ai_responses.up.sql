BEGIN;
SET LOCAL lock_timeout = '2s';

CREATE TYPE ai_response_status AS ENUM ('streaming', 'completed', 'failed', 'cancelled', 'superseded');

-- One generated answer for one turn of a ticket. The turn is a customer's message, or, where turn_message_id is null,
-- the ticket's description.
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
    CONSTRAINT ai_responses_pkey PRIMARY KEY (id),
    CONSTRAINT ai_responses_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES tickets (id) ON DELETE CASCADE,
    CONSTRAINT ai_responses_turn_message_id_fkey FOREIGN KEY (turn_message_id) REFERENCES messages (id) ON DELETE CASCADE,
    CONSTRAINT ai_responses_message_id_fkey FOREIGN KEY (message_id) REFERENCES messages (id) ON DELETE CASCADE,
    CONSTRAINT ai_responses_attempt_check CHECK (attempt BETWEEN 1 AND 1000),
    CONSTRAINT ai_responses_model_check CHECK (char_length(model) BETWEEN 1 AND 128),
    CONSTRAINT ai_responses_error_code_check CHECK (char_length(error_code) BETWEEN 1 AND 64),
    CONSTRAINT ai_responses_finish_reason_check CHECK (finish_reason IN ('stop', 'length', 'content_filter')),
    CONSTRAINT ai_responses_completed_check CHECK (
        (status = 'completed') = (message_id IS NOT NULL) AND (status = 'completed') = (finish_reason IS NOT NULL)
    ),
    CONSTRAINT ai_responses_finished_check CHECK ((status = 'streaming') = (finished_at IS NULL))
);

-- At most one answer being written in a ticket, and one answer to a turn.
CREATE UNIQUE INDEX ai_responses_streaming_key ON ai_responses (ticket_id) WHERE status = 'streaming';
CREATE UNIQUE INDEX ai_responses_turn_key ON ai_responses (ticket_id, turn_message_id) NULLS NOT DISTINCT
    WHERE status IN ('streaming', 'completed');
CREATE UNIQUE INDEX ai_responses_message_id_key ON ai_responses (message_id);
CREATE INDEX ai_responses_turn_message_id_idx ON ai_responses (turn_message_id);
CREATE INDEX ai_responses_ticket_id_created_at_id_idx ON ai_responses (ticket_id, created_at DESC, id DESC);

COMMIT;
