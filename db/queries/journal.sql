-- name: CreateJournalEntry :exec
-- Statements that write the change itself add its entry as a CTE; this one serves the rest, in their transaction.
INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, subject_id, customer_id, data)
VALUES (@type, @actor_kind, sqlc.narg(actor_id), sqlc.narg(ticket_id), sqlc.narg(subject_id), sqlc.narg(customer_id), @data);
