BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TABLE journal_outbox;
DROP TYPE actor_kind;

COMMIT;
