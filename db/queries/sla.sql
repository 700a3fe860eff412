-- name: GetSLA :one
SELECT *
FROM sla;

-- name: LockSLA :one
SELECT *
FROM sla
FOR NO KEY UPDATE;

-- name: UpdateSLA :one
UPDATE sla
SET targets = @targets, version = version + 1
RETURNING *;

-- name: SweepSLA :one
SELECT sla_sweep(@max_rows::integer)::integer;
