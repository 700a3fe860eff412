package store

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/supportbackend/support/gen/sqlc"
)

// pooled runs each statement on its own connection. Unlike the pool's methods, it waits at most acquireTimeout for a
// connection, and at most callTimeout in all.
type pooled struct {
	pool     *pgxpool.Pool
	queue    *queue
	turnover *turnover
	addr     string
	// journaled receives a token when a statement has committed journal entries.
	journaled chan struct{}
	warm      *warmUp
}

var _ sqlc.DBTX = pooled{}

// turnover records when all connections of a pool were last replaced.
type turnover struct{ last atomic.Int64 }

// turnoverPause is the minimum time between two replacements of all connections: more of them gain nothing while there
// is no other server.
const turnoverPause = time.Second

// closeTimeout bounds closing a connection that works but must not be used again.
const closeTimeout = time.Second

// bound returns a context for one statement. It ends at the deadline of the call or of the caller, but not when the
// caller cancels: cancelling a statement costs its connection, and PostgreSQL ends it soon anyway.
func bound(ctx context.Context, until time.Time) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(until) {
		until = deadline
	}
	return context.WithDeadline(context.WithoutCancel(ctx), until)
}

// acquire returns a connection. It checks that an idle one is still alive.
func (p pooled) acquire(ctx context.Context, until time.Time) (*pgxpool.Conn, error) {
	return p.acquireIf(ctx, until, hasBeenIdle)
}

// acquireAlive returns a connection that answers.
func (p pooled) acquireAlive(ctx context.Context, until time.Time) (*pgxpool.Conn, error) {
	return p.acquireIf(ctx, until, func(*pgxpool.Conn) bool { return true })
}

// acquireIf checks doubtful connections, and removes dead ones from the pool.
func (p pooled) acquireIf(ctx context.Context, until time.Time, doubt func(*pgxpool.Conn) bool) (*pgxpool.Conn, error) {
	if limit := time.Now().Add(acquireTimeout); limit.Before(until) {
		until = limit
	}
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for {
		conn, err := p.queue.take(waiting)
		if err != nil {
			return nil, p.acquireError(ctx, err)
		}
		if !doubt(conn) {
			return conn, nil
		}
		asking, cancel := bound(ctx, until)
		err = conn.Ping(asking)
		cancel()
		if err == nil {
			return conn, nil
		}
		p.giveBack(ctx, conn, err)
	}
}

func (p pooled) acquireError(ctx context.Context, err error) error {
	stat := p.pool.Stat()
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded) && stat.AcquiredConns()+stat.IdleConns() >= stat.MaxConns():
		return busy(err) // The pool has all its connections. One may be idle on its way to the next caller.
	default:
		return unavailable(outageOf(err, p.addr))
	}
}

// idleKey marks a connection that was idle before it was acquired.
const idleKey = "idle"

// noteIdle marks an idle connection; the pool calls it before it hands out a connection. It must not check the
// connection itself, because the pool would wait 15 seconds to close a dead one.
func noteIdle(_ context.Context, p pgxpool.ShouldPingParams) bool {
	if p.IdleDuration > maxIdleUnasked {
		p.Conn.PgConn().CustomData()[idleKey] = true
	}
	return false
}

func hasBeenIdle(conn *pgxpool.Conn) bool {
	data := conn.Conn().PgConn().CustomData()
	idle := len(data) > 0 && data[idleKey] != nil
	delete(data, idleKey)
	return idle
}

// giveBack returns a connection to the pool after a statement or transaction with this result, or removes it from the
// pool if it must not be used again.
func (p pooled) giveBack(ctx context.Context, conn *pgxpool.Conn, result error) {
	switch {
	case isReadOnly(result):
		p.discard(ctx, conn)
		p.replaceAll()
	case isStalePlan(result):
		// Other sessions have plans for the older schema too. A function may keep its plan until the session ends.
		p.discard(ctx, conn)
		p.pool.Reset()
	case isTimeout(result) && conn.Conn().IsClosed():
		// The driver takes up to 15 seconds to close a connection to an unreachable server. The pool must not wait for
		// that.
		conn.Hijack()
	default:
		p.queue.giveBack(conn)
	}
}

// discard closes a connection and removes it from the pool.
func (p pooled) discard(ctx context.Context, conn *pgxpool.Conn) {
	closing, cancel := bound(ctx, time.Now().Add(closeTimeout))
	defer cancel()
	_ = conn.Conn().Close(closing) // It ends in any case.
	p.queue.giveBack(conn)
}

// replaceAll closes all connections, because they lead to the same server. Those in use close when they are given back.
func (p pooled) replaceAll() {
	last, now := p.turnover.last.Load(), time.Now().UnixNano()
	if now-last > int64(turnoverPause) && p.turnover.last.CompareAndSwap(last, now) {
		p.pool.Reset()
	}
}

func (p pooled) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	until := time.Now().Add(callTimeout)
	statement, cancel := bound(ctx, until)
	defer cancel()
	err = p.retry(ctx, until, onlyReads(sql), func(conn *pgxpool.Conn) error {
		tag, err = conn.Exec(statement, sql, args...)
		if err == nil {
			p.queue.giveBack(conn)
			p.noteCommitted(addsToJournal(sql))
		}
		return err
	})
	return tag, err
}

// Query waits for the first row, because until then the statement can be retried.
func (p pooled) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	until := time.Now().Add(callTimeout)
	statement, cancel := bound(ctx, until)
	var result *pooledRows
	err := p.retry(ctx, until, onlyReads(sql), func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(statement, sql, args...)
		if err != nil {
			return err
		}
		result = &pooledRows{translatedRows: translatedRows{rows, cancel}, ahead: rows.Next()}
		result.giveBack = func() {
			p.giveBack(ctx, conn, rows.Err())
			p.noteCommitted(addsToJournal(sql))
		}
		return rows.Err()
	})
	if err != nil {
		cancel()
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
	until := time.Now().Add(callTimeout)
	statement, cancel := bound(r.ctx, until)
	defer cancel()
	return r.db.retry(r.ctx, until, onlyReads(r.sql), func(conn *pgxpool.Conn) error {
		err := conn.QueryRow(statement, r.sql, r.args...).Scan(dest...)
		if err == nil {
			r.db.queue.giveBack(conn)
			r.db.noteCommitted(addsToJournal(r.sql))
		}
		return err
	})
}

// pooledRows are rows with the connection that they come from.
type pooledRows struct {
	translatedRows
	giveBack func()
	// ahead means that the first row has been read ahead.
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
	r.giveBack()
	r.giveBack = func() {}
}

// translatedRows are rows with the cancel function of their context.
type translatedRows struct {
	pgx.Rows
	cancel context.CancelFunc
}

func (r translatedRows) Scan(dest ...any) error { return translate(r.Rows.Scan(dest...)) }
func (r translatedRows) Err() error             { return translate(r.Rows.Err()) }

func (r translatedRows) Close() {
	r.Rows.Close()
	r.cancel()
}
