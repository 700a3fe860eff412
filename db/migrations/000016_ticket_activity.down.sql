BEGIN;
SET LOCAL lock_timeout = '2s';

ALTER TABLE tickets DROP COLUMN last_message_at;

COMMIT;
