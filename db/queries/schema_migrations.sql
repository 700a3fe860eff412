-- name: GetSchemaMigration :one
-- read_only says whether this session is read-only, as on a standby or on a primary that was replaced.
SELECT version, dirty, current_setting('transaction_read_only')::boolean AS read_only
FROM schema_migrations
LIMIT 1;
