package rig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/supportbackend/support/internal/dev/pgembed"
)

const (
	indexTimeout = 60 * time.Second
	indexPoll    = 100 * time.Millisecond
)

// Database is a private PostgreSQL with default settings, so commits are durable.
type Database struct {
	Conn *pgx.Conn
	// CountsStatements reports whether PostgreSQL counts the statements that it executes.
	CountsStatements bool

	server *pgembed.Server
	pid    int
}

func startDatabase(ctx context.Context) (*Database, error) {
	d := &Database{CountsStatements: true}
	options := pgembed.Options{
		Settings: map[string]string{"shared_preload_libraries": "pg_stat_statements"},
	}
	var err error
	if d.server, err = pgembed.Start(ctx, options); err != nil {
		// Not every installation has the extension.
		d.CountsStatements, options.Settings = false, nil
		if d.server, err = pgembed.Start(ctx, options); err != nil {
			return nil, err
		}
	}
	if err := d.open(ctx); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

func (d *Database) open(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(d.server.Dir(), "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if d.pid, err = strconv.Atoi(first); err != nil {
		return err
	}
	if d.Conn, err = pgx.Connect(ctx, d.url()); err != nil {
		return err
	}
	if d.CountsStatements {
		_, err = d.Conn.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
	}
	return err
}

func (d *Database) url() string { return d.server.URL("postgres") }

func (d *Database) stop() { _ = d.server.Stop() }

// Version returns the version of PostgreSQL.
func (d *Database) Version() string { return d.server.Version() }

// counters returns what the database has used since its start.
func (d *Database) counters(ctx context.Context) (Cost, error) {
	var c Cost
	row := d.Conn.QueryRow(ctx,
		"SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint, pg_database_size(current_database())")
	if err := row.Scan(&c.WALBytes, &c.Size); err != nil {
		return c, fmt.Errorf("read the size of the log: %w", err)
	}
	if d.CountsStatements {
		// The benchmark's own queries do not count.
		row := d.Conn.QueryRow(ctx, "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE query !~ 'pg_'")
		if err := row.Scan(&c.Statements); err != nil {
			return c, fmt.Errorf("count the statements: %w", err)
		}
	}
	var err error
	c.DatabaseCPU, err = familyCPU(d.pid)
	return c, err
}

// Connections returns the number of the server's open connections.
func (d *Database) Connections(ctx context.Context) (n int, err error) {
	row := d.Conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'support'")
	err = row.Scan(&n)
	return n, err
}

// AddTickets adds n tickets for a user, and returns their ids.
func (d *Database) AddTickets(ctx context.Context, user uuid.UUID, n int) ([]uuid.UUID, error) {
	rows, err := d.Conn.Query(ctx, `
		INSERT INTO tickets (id, user_id, title, description)
		SELECT gen_random_uuid(), $1, 'Invoice ' || n || ' is wrong', 'I was charged twice for October. Can I have it back?'
		FROM generate_series(1, $2) AS n
		RETURNING id`, user, n)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// deleteRunningAnswers deletes the answers that a killed server was writing. The next server would take them over, and what they
// cost it would be measured, too.
func (d *Database) deleteRunningAnswers(ctx context.Context) error {
	_, err := d.Conn.Exec(ctx, "DELETE FROM ai_responses WHERE status = 'streaming'")
	return err
}

// AwaitIndexing returns when the server has indexed what was added for the search, which is not a part of what is measured next.
func (d *Database) AwaitIndexing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	for {
		var queued bool
		if err := d.Conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM search_queue)").Scan(&queued); err != nil || !queued {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(indexPoll):
		}
	}
}
