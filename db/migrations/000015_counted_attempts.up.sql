BEGIN;
SET LOCAL lock_timeout = '2s';

-- Attempts count once their end is known, and only then: those under way take nobody's place.
ALTER TABLE attempts DROP COLUMN pending;

COMMIT;
