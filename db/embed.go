// Package db holds the database's schema and queries: every SQL statement of the project lives below it.
package db

import "embed"

// Migrations holds the schema's migrations, as golang-migrate's iofs source reads them, in the folder "migrations".
//
//go:embed migrations/*.sql
var Migrations embed.FS
