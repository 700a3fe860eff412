BEGIN;
SET LOCAL lock_timeout = '2s';

DROP INDEX ai_responses_finished_at_idx;
DROP TABLE ai_response_events;
DROP TYPE ai_event_kind;
ALTER TABLE ai_responses DROP COLUMN owner_id;

COMMIT;
