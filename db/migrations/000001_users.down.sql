BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TABLE users;
DROP TYPE user_role;

COMMIT;
