BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TABLE daily_usage;
DROP TABLE message_feedback;
DROP TYPE feedback_rating;
DROP TABLE macros;
ALTER TABLE messages DROP CONSTRAINT messages_check;
DROP FUNCTION is_valid_message(messages);
DROP TABLE messages;
DROP TYPE message_author;
DROP TABLE ticket_status_changes;
DROP TABLE ticket_tags;
DROP TABLE tickets;
DROP FUNCTION check_ticket();
DROP FUNCTION keep_ticket_tags();
DROP TABLE team_members;
DROP TABLE teams;
DROP TYPE ticket_priority;
DROP TYPE handoff_reason;
DROP TYPE ai_mode;
DROP TYPE ticket_status;

COMMIT;
