BEGIN;
SET LOCAL lock_timeout = '2s';

-- Who writes a response: the replica that holds its lease. Every change of owner raises the attempt, and what an earlier
-- owner still writes changes nothing.
ALTER TABLE ai_responses ADD COLUMN owner_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
ALTER TABLE ai_responses ALTER COLUMN owner_id DROP DEFAULT;

CREATE TYPE ai_event_kind AS ENUM ('delta', 'reset', 'done', 'failed');

-- The events of a response, numbered without holes. A reader is only ever sent what stands here.
CREATE TABLE ai_response_events (
    ai_response_id uuid          NOT NULL,
    seq            bigint        NOT NULL,
    kind           ai_event_kind NOT NULL,
    attempt        integer       NOT NULL,
    content        text          NOT NULL,
    CONSTRAINT ai_response_events_pkey PRIMARY KEY (ai_response_id, seq),
    CONSTRAINT ai_response_events_ai_response_id_fkey FOREIGN KEY (ai_response_id)
        REFERENCES ai_responses (id) ON DELETE CASCADE,
    CONSTRAINT ai_response_events_seq_check CHECK (seq >= 1),
    CONSTRAINT ai_response_events_content_check CHECK (
        octet_length(content) <= 65536 AND (kind IN ('delta', 'failed')) = (content <> '')
    )
);

-- What is old enough to lose its events.
CREATE INDEX ai_responses_finished_at_idx ON ai_responses (finished_at);

COMMIT;
