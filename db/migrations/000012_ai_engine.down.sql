BEGIN;
SET LOCAL lock_timeout = '2s';

DROP INDEX messages_ticket_id_author_created_at_idx;
DROP INDEX ai_responses_finished_at_id_idx;
CREATE INDEX ai_responses_finished_at_idx ON ai_responses (finished_at);
ALTER TABLE ai_responses DROP COLUMN has_events;
ALTER TABLE ai_responses DROP COLUMN crashes;

COMMIT;
