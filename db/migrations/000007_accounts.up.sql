BEGIN;
SET LOCAL lock_timeout = '2s';

-- The administrators' list, in its order and by the beginning of an address. Addresses are ASCII in lower case, so bytes
-- are a good order for them.
CREATE INDEX users_created_at_id_idx ON users (created_at DESC, id DESC);
CREATE INDEX users_email_prefix_idx ON users (email COLLATE "C");

COMMIT;
