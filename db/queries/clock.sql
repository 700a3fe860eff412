-- name: GetHasPassed :one
-- Compares with the database's clock, which sets all stored times.
SELECT (@at::timestamptz <= statement_timestamp())::boolean;
