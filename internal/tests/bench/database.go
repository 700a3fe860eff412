package main

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

// database is a private PostgreSQL with default settings, so commits are durable.
type database struct {
	server *pgembed.Server
	pid    int
	conn   *pgx.Conn
	// statements reports whether PostgreSQL can count them.
	statements bool
}

func startDatabase(ctx context.Context) (*database, error) {
	d := &database{statements: true}
	options := pgembed.Options{
		Settings: map[string]string{"shared_preload_libraries": "pg_stat_statements"},
	}
	var err error
	if d.server, err = pgembed.Start(ctx, options); err != nil {
		// Not every installation has the extension.
		d.statements, options.Settings = false, nil
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

func (d *database) open(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(d.server.Dir(), "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if d.pid, err = strconv.Atoi(first); err != nil {
		return err
	}
	if d.conn, err = pgx.Connect(ctx, d.url()); err != nil {
		return err
	}
	if d.statements {
		_, err = d.conn.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
	}
	return err
}

func (d *database) url() string { return d.server.URL("postgres") }

func (d *database) stop() { _ = d.server.Stop() }

// counters returns what the database has used since its start.
func (d *database) counters(ctx context.Context) (cost, error) {
	var c cost
	row := d.conn.QueryRow(ctx,
		"SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint, pg_database_size(current_database())")
	if err := row.Scan(&c.walBytes, &c.size); err != nil {
		return c, fmt.Errorf("read the size of the log: %w", err)
	}
	if d.statements {
		// The benchmark's own queries do not count.
		row := d.conn.QueryRow(ctx, "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE query !~ 'pg_'")
		if err := row.Scan(&c.statements); err != nil {
			return c, fmt.Errorf("count the statements: %w", err)
		}
	}
	var err error
	c.databaseCPU, err = familyCPU(d.pid)
	return c, err
}

// connections returns the number of the server's open connections.
func (d *database) connections(ctx context.Context) (n int, err error) {
	row := d.conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'support'")
	err = row.Scan(&n)
	return n, err
}

// addTickets adds n tickets for a user.
func (d *database) addTickets(ctx context.Context, user uuid.UUID, n int) ([]uuid.UUID, error) {
	rows, err := d.conn.Query(ctx, `
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
func (d *database) deleteRunningAnswers(ctx context.Context) error {
	_, err := d.conn.Exec(ctx, "DELETE FROM ai_responses WHERE status = 'streaming'")
	return err
}

// awaitIndexing returns when the server has indexed what was added for the search, which is not a part of what is measured next.
func (d *database) awaitIndexing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	for {
		var queued bool
		if err := d.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM search_queue)").Scan(&queued); err != nil || !queued {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(indexPoll):
		}
	}
}
