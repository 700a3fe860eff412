// Package store is the door to PostgreSQL: the connection pool, transactions, the names of constraints, and migrations.
// The queries are generated from db/queries (gen/sqlc). No other package imports the driver.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

// A transaction that lost a conflict is retried, at most this often and after a random wait in this range.
const (
	txRetries  = 3
	txMinPause = 10 * time.Millisecond
	txMaxPause = 100 * time.Millisecond
)

// Store runs the generated queries, each on its own connection, or several in a transaction.
//
// When the database is at fault, a query returns an apperr.Error: DBUnavailable when there is no connection or it
// broke, DBBusy when the wait for a connection, a lock or a result was too long. It returns ErrNoRows unchanged.
type Store struct {
	sqlc.Querier
	db, reserved pooled
	// pooler means that there is a pooler in transaction mode.
	pooler bool
	// cold means that connections are not warmed up.
	cold bool
}

// ErrNoRows is returned by a query for one row that finds none.
var ErrNoRows = pgx.ErrNoRows

// Open returns a Store. It does not wait for the database, so that a server can start before it.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	shared, reserved, err := newPools(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{db: shared, reserved: reserved, pooler: cfg.TransactionPooler, cold: cfg.TransactionPooler || cfg.Lazy}
	s.Querier = sqlc.New(joining{s})
	return s, nil
}

// Close waits for connections in use and closes them all.
func (s *Store) Close() {
	s.db.pool.Close()
	s.reserved.pool.Close()
}

// IsPooled reports whether there is a pooler in transaction mode, behind which nothing can LISTEN.
func (s *Store) IsPooled() bool { return s.pooler }

// Reserved runs queries on reserved connections, so that they do not wait behind requests. They join no transaction.
func (s *Store) Reserved() sqlc.Querier { return sqlc.New(s.reserved) }

// Ready checks that the database accepts writes, and that its schema is this program's or a newer one. It returns
// DBUnavailable, DBBusy or SchemaDirty.
func (s *Store) Ready(ctx context.Context) error {
	latest, err := LatestVersion()
	if err != nil {
		return err
	}
	current, err := s.GetSchemaMigration(ctx)
	switch {
	case errors.Is(err, ErrNoRows), isUndefinedTable(err):
		return apperr.New(apperr.SchemaDirty, "The database has no schema yet. Run: support migrate up")
	case err != nil:
		return err
	case current.ReadOnly:
		s.db.replaceAll()
		outage := refusals[pgerrcode.ReadOnlySQLTransaction]
		outage.Addr = s.db.addr
		return unavailable(&outage)
	case current.Version < latest:
		return apperr.New(apperr.SchemaDirty, "The database's schema is older than this program. Run: support migrate up")
	case current.Dirty && current.Version == latest:
		return apperr.New(apperr.SchemaDirty, "A database migration was interrupted. See Migrations in OPERATIONS.md.")
	default:
		return nil
	}
}
