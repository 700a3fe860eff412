// Package store is the door to PostgreSQL: the connection pool, transactions, the names of constraints, and migrations.
// The queries themselves are generated (gen/sqlc) from db/queries. No other package knows the driver.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
)

// A transaction that lost against another is tried again, at most this often and after a random wait in this range.
const (
	txRetries  = 3
	txMinPause = 10 * time.Millisecond
	txMaxPause = 100 * time.Millisecond
)

// Store runs the generated queries, each on a connection of its own, and groups of them in transactions.
//
// A query that fails because of the database, and not because of what was asked, returns an apperr.Error: DBUnavailable
// when no connection can be made or it broke, DBBusy when the wait for a connection, a lock or a result was too long.
// ErrNoRows is returned unchanged.
type Store struct {
	sqlc.Querier
	db, reserved pooled
	// pooler means that sessions belong to a pooler.
	pooler bool
}

// ErrNoRows is returned by a query for one row that finds none.
var ErrNoRows = pgx.ErrNoRows

// Open makes a Store. It does not wait for the database: a server may start before it and be ready after it.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	shared, reserved, err := newPools(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{db: shared, reserved: reserved, pooler: cfg.TransactionPooler}
	s.Querier = sqlc.New(joining{s})
	return s, nil
}

// Close waits for connections in use and closes them all.
func (s *Store) Close() {
	s.db.pool.Close()
	s.reserved.pool.Close()
}

// IsPooled reports whether the sessions belong to a pooler, so that nothing can listen on them.
func (s *Store) IsPooled() bool { return s.pooler }

// Reserved runs queries on connections that are kept for it, so that they do not wait for those of requests. They join no
// transaction.
func (s *Store) Reserved() sqlc.Querier { return sqlc.New(s.reserved) }

// Ready checks that the database answers and takes writes, and that its schema is one that this program can use: its own
// or a newer one. It returns DBUnavailable, DBBusy or SchemaDirty.
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
		return unavailable(&OutageError{Cause: causeReadOnly, Addr: s.db.addr})
	case current.Version < latest:
		return apperr.New(apperr.SchemaDirty, "The database's schema is older than this program. Run: support migrate up")
	case current.Dirty && current.Version == latest:
		return apperr.New(apperr.SchemaDirty, "A migration of the database broke off. See OPERATIONS.md, Migrations.")
	default:
		return nil
	}
}
