-- The table of golang-migrate, for sqlc. The migration tool creates it, not a migration.
CREATE TABLE schema_migrations (
    version bigint  NOT NULL PRIMARY KEY,
    dirty   boolean NOT NULL
);
