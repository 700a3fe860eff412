BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TABLE ai_response_events;
DROP TYPE ai_event_kind;
DROP TABLE due_triages;
DROP TABLE ai_responses;
DROP TYPE ai_review;
DROP TYPE ai_response_status;
DROP TYPE ai_response_kind;

COMMIT;
