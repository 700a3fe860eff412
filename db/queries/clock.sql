-- name: GetHasPassed :one
-- By the database's clock, which is that of all times that are stored.
SELECT (@at::timestamptz <= statement_timestamp())::boolean;
