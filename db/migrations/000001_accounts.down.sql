BEGIN;
SET LOCAL lock_timeout = '2s';

DROP TABLE service_customers;
DROP TABLE api_keys;
DROP TABLE attempts;
DROP TABLE sessions;
DROP TABLE users;
DROP TYPE user_role;

COMMIT;
