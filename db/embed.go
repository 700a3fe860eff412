// Package db holds the database's schema and queries: every SQL statement of the project lives below it.
package db

import "embed"

// Migrations holds the schema's migrations, as golang-migrate's iofs source reads them, in the folder "migrations".
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Queries holds the queries that sqlc generates code from, in the folder "queries". Tests explain them; the product does
// not read them, and is linked without them.
//
//go:embed queries/*.sql
var Queries embed.FS
