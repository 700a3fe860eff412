BEGIN;
SET LOCAL lock_timeout = '2s';

-- How long the AI service asked to wait, of a failed event. Every replica tells its readers the same.
ALTER TABLE ai_response_events ADD COLUMN retry_after_seconds integer
    CONSTRAINT ai_response_events_retry_after_check CHECK (retry_after_seconds > 0);

COMMIT;
