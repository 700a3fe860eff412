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

func (p pooled) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	err = p.retry(ctx, onlyReads(sql), func(conn *pgxpool.Conn) error {
		tag, err = conn.Exec(ctx, sql, args...)
		if err == nil {
			conn.Release()
		}
		return err
	})
	return tag, err
}

// Query waits for the first row: until then the statement can be tried again.
func (p pooled) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	var result *pooledRows
	err := p.retry(ctx, onlyReads(sql), func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		result = &pooledRows{translatedRows: translatedRows{rows}, release: conn.Release, ahead: rows.Next()}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

func (p pooled) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return pooledRow{ctx: ctx, db: p, sql: sql, args: args}
}

// pooledRow is a statement that runs when its row is scanned.
type pooledRow struct {
	ctx  context.Context
	db   pooled
	sql  string
	args []any
}

func (r pooledRow) Scan(dest ...any) error {
	return r.db.retry(r.ctx, onlyReads(r.sql), func(conn *pgxpool.Conn) error {
		err := conn.QueryRow(r.ctx, r.sql, r.args...).Scan(dest...)
		if err == nil {
			conn.Release()
		}
		return err
	})
}

// pooledRows are rows with the connection that they come from.
type pooledRows struct {
	translatedRows
	release func()
	// ahead says that the first row has come and was not asked for yet.
	ahead bool
}

func (r *pooledRows) Next() bool {
	if r.ahead {
		r.ahead = false
		return true
	}
	return r.translatedRows.Next()
}

func (r *pooledRows) Close() {
	r.translatedRows.Close()
	r.release()
	r.release = func() {}
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
	return translatedRows{rows}, nil
}

func (t translated) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return translatedRow{t.db.QueryRow(ctx, sql, args...)}
}

type translatedRows struct{ pgx.Rows }

func (r translatedRows) Scan(dest ...any) error { return translate(r.Rows.Scan(dest...)) }
func (r translatedRows) Err() error             { return translate(r.Rows.Err()) }

type translatedRow struct{ row pgx.Row }

func (r translatedRow) Scan(dest ...any) error { return translate(r.row.Scan(dest...)) }
