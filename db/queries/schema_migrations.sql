-- name: GetSchemaMigration :one
-- With whether the session it is asked in may only read, as all do of a standby or of a primary that was replaced.
SELECT version, dirty, current_setting('transaction_read_only')::boolean AS read_only
FROM schema_migrations
LIMIT 1;
