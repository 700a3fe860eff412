BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TABLE messages;
DROP TYPE message_author;
DROP TABLE ticket_status_changes;
DROP TABLE tickets;
DROP TYPE ticket_status;

COMMIT;
