BEGIN;
SET LOCAL lock_timeout = '2s';

DROP FUNCTION unanswered_since(tickets);
ALTER TABLE ai_response_events DROP CONSTRAINT ai_response_events_check;
DROP FUNCTION is_valid_ai_response_event(ai_response_events);
DROP TABLE ai_response_events;
DROP TYPE ai_event_kind;
DROP TABLE due_triages;
DROP TABLE ai_responses;
DROP FUNCTION check_ai_response();
DROP TYPE ai_review;
DROP TYPE ai_response_status;
DROP TYPE ai_response_kind;

COMMIT;
