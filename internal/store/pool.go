package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/supportbackend/support/gen/sqlc"
)

const (
	// DefaultMaxConns is how many connections a Store holds at most, unless its Config says otherwise.
	DefaultMaxConns = 20

	minIdleConns    = 2
	maxConnLifetime = 30 * time.Minute
	lifetimeJitter  = 5 * time.Minute
	connectTimeout  = 5 * time.Second
	acquireTimeout  = 2 * time.Second
)

// sessionSettings hold for every connection. They are sent when it is made, so that no statement can outlive them.
var sessionSettings = map[string]string{
	"application_name":                    "support",
	"timezone":                            "UTC",
	"statement_timeout":                   "5s",
	"lock_timeout":                        "2s",
	"idle_in_transaction_session_timeout": "10s",
	"client_connection_check_interval":    "5s",
}

// Config says which database to use and how much of it.
type Config struct {
	// URL is a PostgreSQL connection URL or keyword string.
	URL string
	// MaxConns is how many connections are held at most; 0 means DefaultMaxConns.
	MaxConns int32
}

// Check reports whether the driver understands the URL, without connecting. The error quotes nothing of it.
func (cfg Config) Check() error {
	_, err := cfg.parse()
	return err
}

func (cfg Config) parse() (*pgxpool.Config, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		// The driver's error quotes parts of the URL.
		return nil, errors.New("the database URL is not a PostgreSQL connection URL")
	}
	return pc, nil
}

func newPool(ctx context.Context, cfg Config) (*pgxpool.Pool, error) {
	pc, err := cfg.parse()
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	pc.MaxConns = cfg.MaxConns
	if pc.MaxConns == 0 {
		pc.MaxConns = DefaultMaxConns
	}
	pc.MinIdleConns = min(minIdleConns, pc.MaxConns)
	pc.MaxConnLifetime = maxConnLifetime
	pc.MaxConnLifetimeJitter = lifetimeJitter
	pc.ConnConfig.ConnectTimeout = connectTimeout
	for name, value := range sessionSettings {
		pc.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("store: open the pool: %w", err)
	}
	return pool, nil
}

// pooled runs each statement on a connection of its own. In contrast to the pool's own methods it does not wait for a
// connection longer than acquireTimeout.
type pooled struct{ pool *pgxpool.Pool }

var _ sqlc.DBTX = pooled{}

func (p pooled) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	waiting, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	conn, err := p.pool.Acquire(waiting)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded) && p.pool.Stat().AcquiredConns() >= p.pool.Config().MaxConns:
		return nil, busy(err)
	default:
		return nil, unavailable(errConnect)
	}
}

func (p pooled) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	conn, err := p.acquire(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer conn.Release()
	tag, err := conn.Exec(ctx, sql, args...)
	return tag, translate(err)
}

func (p pooled) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	conn, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		conn.Release()
		return nil, translate(err)
	}
	return &translatedRows{Rows: rows, release: conn.Release}, nil
}

func (p pooled) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	conn, err := p.acquire(ctx)
	if err != nil {
		return failedRow{err}
	}
	return translatedRow{row: conn.QueryRow(ctx, sql, args...), release: conn.Release}
}

// translated runs statements where db does, a transaction, and translates their errors.
type translated struct{ db sqlc.DBTX }

func (t translated) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	tag, err := t.db.Exec(ctx, sql, args...)
	return tag, translate(err)
}

func (t translated) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := t.db.Query(ctx, sql, args...)
	if err != nil {
		return nil, translate(err)
	}
	return &translatedRows{Rows: rows, release: func() {}}, nil
}

func (t translated) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return translatedRow{row: t.db.QueryRow(ctx, sql, args...), release: func() {}}
}

type translatedRows struct {
	pgx.Rows
	release func()
}

func (r *translatedRows) Scan(dest ...any) error { return translate(r.Rows.Scan(dest...)) }
func (r *translatedRows) Err() error             { return translate(r.Rows.Err()) }

func (r *translatedRows) Close() {
	r.Rows.Close()
	r.release()
	r.release = func() {}
}

type translatedRow struct {
	row     pgx.Row
	release func()
}

func (r translatedRow) Scan(dest ...any) error {
	defer r.release()
	return translate(r.row.Scan(dest...))
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
