BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TABLE refresh_tokens;
DROP TABLE sessions;
ALTER TABLE users DROP COLUMN disabled_at;
ALTER TABLE users DROP COLUMN token_version;

COMMIT;
