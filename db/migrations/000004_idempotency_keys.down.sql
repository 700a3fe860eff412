BEGIN;
SET LOCAL lock_timeout = '2s';

DROP FUNCTION claim_idempotency_key(bytea);
DROP TABLE idempotency_keys;

COMMIT;
