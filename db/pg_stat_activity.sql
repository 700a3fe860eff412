-- The columns of PostgreSQL's own view that queries use, because sqlc does not know the view.
CREATE TABLE pg_stat_activity (
    datname          name,
    application_name text,
    client_addr      inet
);
