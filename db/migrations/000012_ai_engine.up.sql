BEGIN;
SET LOCAL lock_timeout = '2s';

-- How often the response lost its writer without a hand-over. Planned hand-overs raise the attempt, but not this.
ALTER TABLE ai_responses ADD COLUMN crashes integer NOT NULL DEFAULT 0;
ALTER TABLE ai_responses ADD CONSTRAINT ai_responses_crashes_check CHECK (crashes BETWEEN 0 AND 1000);

-- Whether the response still has its events. The sweep looks only at those that do.
ALTER TABLE ai_responses ADD COLUMN has_events boolean NOT NULL DEFAULT true;
DROP INDEX ai_responses_finished_at_idx;
CREATE INDEX ai_responses_finished_at_id_idx ON ai_responses (finished_at, id) WHERE has_events;

-- The newest message of an author in a ticket.
CREATE INDEX messages_ticket_id_author_created_at_idx ON messages (ticket_id, author, created_at DESC);

COMMIT;
