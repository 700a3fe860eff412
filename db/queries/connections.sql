-- name: GetSessionBudget :one
-- How many sessions the database takes, and how many machines have sessions of the product there, this one included.
SELECT
    current_setting('max_connections')::integer AS max_connections,
    count(DISTINCT coalesce(host(client_addr), ''))::integer AS machines
FROM pg_stat_activity
WHERE datname = current_database() AND application_name = current_setting('application_name');
