BEGIN;
SET LOCAL lock_timeout = '2s';

DROP INDEX users_email_prefix_idx;
DROP INDEX users_created_at_id_idx;

COMMIT;
