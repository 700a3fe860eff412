BEGIN;
SET LOCAL lock_timeout = '2s';

-- The accounts stay, with what is theirs.
DROP TABLE service_customers;
DROP TABLE api_keys;

COMMIT;
