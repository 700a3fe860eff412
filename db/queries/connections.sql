-- name: GetSessionBudget :one
-- How many sessions the database allows, and how many machines have sessions of the product, including this one.
SELECT
    current_setting('max_connections')::integer AS max_connections,
    count(DISTINCT coalesce(host(client_addr), ''))::integer AS machines
FROM pg_stat_activity
WHERE datname = current_database() AND application_name = current_setting('application_name');

-- name: ListUnlimitedSettings :many
-- The required limits that this session lacks.
SELECT name::text
FROM unnest(ARRAY['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']) AS limits (name)
WHERE current_setting(limits.name) = '0'
ORDER BY name;

-- name: GetSchemaOwnership :one
-- Whether this session can add partitions and owns them like the other tables: a member of the owner's role would own
-- partitions that the owner cannot migrate.
SELECT (pg_get_userbyid(c.relowner) = current_user AND has_schema_privilege(c.relnamespace, 'CREATE'))::boolean
FROM pg_catalog.pg_class AS c
WHERE c.oid = 'journal'::regclass;

-- name: GetDatabaseServer :one
-- The release of PostgreSQL, as text and as a number, and the database's encoding and time.
SELECT
    current_setting('server_encoding')::text AS encoding,
    current_setting('server_version')::text AS release,
    current_setting('server_version_num')::integer AS release_number,
    clock_timestamp()::timestamptz AS now;
