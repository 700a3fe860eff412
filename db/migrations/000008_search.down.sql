BEGIN;
SET LOCAL lock_timeout = '2s';

DROP FUNCTION sla_sweep;
DROP TRIGGER tickets_sla_update ON tickets;
DROP TRIGGER tickets_sla ON tickets;
DROP FUNCTION set_sla_times;
DROP FUNCTION sla_steps;
ALTER TABLE tickets
    DROP COLUMN first_response_due_at,
    DROP COLUMN resolution_due_at,
    DROP COLUMN sla_noted,
    DROP COLUMN sla_check_at;
DROP TABLE sla;
DROP INDEX journal_occurred_at_idx;
DROP INDEX message_feedback_created_at_idx;
DROP INDEX ai_responses_created_at_idx;
DROP INDEX tickets_resolved_at_idx;
DROP INDEX tickets_first_response_at_idx;
DROP TRIGGER messages_search ON messages;
DROP TRIGGER tickets_search_update ON tickets;
DROP TRIGGER tickets_search ON tickets;
DROP FUNCTION queue_for_search;
DROP FUNCTION index_queued;
DROP FUNCTION walk_tickets;
DROP TABLE search_queue;
DROP FUNCTION search_matches;
DROP FUNCTION search_estimate;
DROP TABLE search_documents;
DROP FUNCTION search_words;
DROP FUNCTION search_blocks;
DROP FUNCTION search_keys;
DROP TABLE search_index;

COMMIT;
