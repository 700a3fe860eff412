-- What queries use of PostgreSQL's own view, for sqlc: it does not know it.
CREATE TABLE pg_stat_activity (
    datname          name,
    application_name text,
    client_addr      inet
);
