BEGIN;
SET LOCAL lock_timeout = '2s';

ALTER TABLE attempts ADD COLUMN pending integer NOT NULL DEFAULT 0;
ALTER TABLE attempts ALTER COLUMN pending DROP DEFAULT;
ALTER TABLE attempts ADD CONSTRAINT attempts_pending_check CHECK (pending >= 0);

COMMIT;
