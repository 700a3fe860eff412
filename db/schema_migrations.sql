-- The table that golang-migrate keeps. It is made by the migration tool, not by a migration; sqlc reads it here.
CREATE TABLE schema_migrations (
    version bigint  NOT NULL PRIMARY KEY,
    dirty   boolean NOT NULL
);
