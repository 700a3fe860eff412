BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TABLE daily_usage;

COMMIT;
