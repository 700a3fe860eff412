BEGIN;
SET LOCAL lock_timeout = '2s';

ALTER TABLE ai_response_events DROP COLUMN retry_after_seconds;

COMMIT;
