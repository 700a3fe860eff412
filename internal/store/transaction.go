package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/supportbackend/support/gen/sqlc"
)

const (
	beginStatement  = "BEGIN"
	commitStatement = "COMMIT"
	// idle is the status of a session that is in no transaction.
	idle = 'I'
)

// errCommitted reports a statement after the one that was announced as the last.
var errCommitted = errors.New("store: the transaction was committed with its last statement")

// transaction is a transaction on a connection of its own. Its cost is mostly round trips, so it sends BEGIN with
// the first statement, COMMIT with the one that was announced as the last, and a statement whose result nobody needs with the next one.
type transaction struct {
	conn  *pgxpool.Conn
	until time.Time
	// begun means that BEGIN has gone through, and committing that COMMIT was sent: when its reply is lost, nobody knows
	// whether it went through.
	begun, committing, committed bool
	// journaled means that a statement has added entries to the journal's outbox.
	journaled bool
	// ahead is what goes along with the next statement.
	ahead []queued
	// lost means that the transaction has failed by no fault of its own before that, so that nothing has happened.
	lost bool
	// refused is what AheadIf's function has returned.
	refused error
}

var _ sqlc.DBTX = (*transaction)(nil)

type queued struct {
	sql  string
	args []any
	// judge decides whether the transaction may go on; nil lets it.
	judge func(rows int64, err error) error
}

type (
	lastKey  struct{}
	aheadKey struct{}
)

// Ahead returns a context whose statement, one without a result, is sent along with the transaction's next one: taking a
// lock so costs no round trip. Its error is that of the next statement.
func Ahead(ctx context.Context) context.Context {
	if unitFrom(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, aheadKey{}, true)
}

// AheadIf is Ahead for a statement that decides whether the transaction goes on: judge gets how many rows it has changed and
// its error, translated, and returns nil or the error of the next statement, whose effect is undone, and of the transaction.
// When no further statement comes, Settle asks.
func AheadIf(ctx context.Context, judge func(rows int64, err error) error) context.Context {
	return context.WithValue(ctx, aheadKey{}, judge)
}

// Settle sends what waits in the context's transaction for a next statement. It returns what AheadIf's function has returned,
// now or before.
func Settle(ctx context.Context) error {
	u := unitFrom(ctx)
	if u == nil {
		return nil
	}
	t, ok := u.db.(*transaction)
	if !ok {
		return nil
	}
	return t.settle(ctx)
}

func (t *transaction) settle(ctx context.Context) error {
	if t.refused != nil || len(t.ahead) == 0 {
		return t.refused
	}
	last := t.ahead[len(t.ahead)-1]
	t.ahead = t.ahead[:len(t.ahead)-1]
	return t.call(ctx, last.sql, last.args, func(results pgx.BatchResults) error { return t.pass(last, results) })
}

// pass reads the result of what was sent ahead.
func (t *transaction) pass(q queued, results pgx.BatchResults) error {
	tag, err := results.Exec()
	if q.judge == nil {
		return err
	}
	t.lost = t.lost || err != nil && (isLost(err) || isStalePlan(err))
	t.refused = q.judge(tag.RowsAffected(), translate(err))
	return t.refused
}

// Last returns a context whose statement is the last one of the transaction: it is committed along with it, which saves a
// round trip, and locks are held for so much less. A statement that finds no row is committed as well, and must have
// changed nothing. In a transaction that was begun further out, Last changes nothing.
func Last(ctx context.Context) context.Context {
	if u := unitFrom(ctx); u == nil || ctx.Value(joinedKey{}) == u {
		return ctx
	}
	return context.WithValue(ctx, lastKey{}, true)
}

// joinedKey marks what runs in a transaction that was begun further out.
type joinedKey struct{}

// start sends a statement, and before it BEGIN if need be. results has the statement's result next.
func (t *transaction) start(ctx context.Context, sql string, args []any) (results pgx.BatchResults, last bool, err error) {
	commits := sql == commitStatement
	if t.committing && !commits {
		return nil, false, errCommitted
	}
	last, _ = ctx.Value(lastKey{}).(bool)
	var batch pgx.Batch
	ahead := t.ahead
	t.ahead = nil
	if !t.begun {
		ahead = slices.Insert(ahead, 0, queued{sql: beginStatement})
	}
	for _, q := range ahead {
		batch.Queue(q.sql, q.args...)
		t.journaled = t.journaled || addsToJournal(q.sql)
		last = last && q.judge == nil // COMMIT would not wait for the judgment.
	}
	t.committing = commits || last
	batch.Queue(sql, args...)
	t.journaled = t.journaled || addsToJournal(sql)
	if last {
		batch.Queue(commitStatement)
	}
	results = t.conn.SendBatch(ctx, &batch)
	for _, q := range ahead {
		if err := t.pass(q, results); err != nil {
			_ = results.Close() // It fails for the same reason, or its effect is undone.
			return nil, false, err
		}
		t.begun = true
	}
	return results, last, nil
}

// finish reads what comes after a statement's result.
func (t *transaction) finish(results pgx.BatchResults, last bool) error {
	if last {
		tag, err := results.Exec()
		t.committed = err == nil && tag.String() == commitStatement
		if err == nil && !t.committed {
			err = pgx.ErrTxCommitRollback
		}
		return errors.Join(err, results.Close())
	}
	return results.Close()
}

// noted translates a statement's error, and remembers one that a second try may not meet.
func (t *transaction) noted(err error) error {
	if t.refused != nil {
		return t.refused
	}
	t.lost = t.lost || err != nil && !t.committing && (isLost(err) || isStalePlan(err))
	return translate(err)
}

// Exec runs a statement.
func (t *transaction) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if ahead := ctx.Value(aheadKey{}); ahead != nil {
		judge, _ := ahead.(func(int64, error) error)
		t.ahead = append(t.ahead, queued{sql, args, judge})
		return tag, nil
	}
	err = t.call(ctx, sql, args, func(results pgx.BatchResults) error {
		tag, err = results.Exec()
		return err
	})
	return tag, err
}

// call runs a statement whose result is read at once.
func (t *transaction) call(ctx context.Context, sql string, args []any, read func(pgx.BatchResults) error) error {
	if err := ctx.Err(); err != nil {
		return translate(err)
	}
	ctx, cancel := bound(ctx, t.until)
	defer cancel()
	results, last, err := t.start(ctx, sql, args)
	if err != nil {
		return t.noted(err)
	}
	err = read(results)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		last = false // COMMIT was not run.
	}
	if ended := t.finish(results, last); err == nil {
		err = ended
	}
	return t.noted(err)
}

// Query runs a statement and returns its rows.
func (t *transaction) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, translate(err)
	}
	ctx, cancel := bound(ctx, t.until)
	results, last, err := t.start(ctx, sql, args)
	if err != nil {
		cancel()
		return nil, t.noted(err)
	}
	rows, err := results.Query()
	if err != nil {
		_ = t.finish(results, false) // The statement's own error says more.
		cancel()
		return nil, t.noted(err)
	}
	return &transactionRows{Rows: rows, end: func(err error) error {
		defer cancel()
		if err != nil {
			last = false
		}
		if ended := t.finish(results, last); err == nil {
			err = ended
		}
		return t.noted(err)
	}}, nil
}

// QueryRow returns a statement that runs when its row is scanned.
func (t *transaction) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return transactionRow{transaction: t, ctx: ctx, sql: sql, args: args}
}

type transactionRow struct {
	transaction *transaction
	ctx         context.Context
	sql         string
	args        []any
}

func (r transactionRow) Scan(dest ...any) error {
	return r.transaction.call(r.ctx, r.sql, r.args, func(results pgx.BatchResults) error { return results.QueryRow().Scan(dest...) })
}

// transactionRows are the rows of a statement. When the last one was read, the statement is finished.
type transactionRows struct {
	pgx.Rows
	end func(error) error
	err error
}

func (r *transactionRows) Next() bool {
	next := r.Rows.Next()
	if !next {
		r.Close()
	}
	return next
}

func (r *transactionRows) Scan(dest ...any) error { return translate(r.Rows.Scan(dest...)) }
func (r *transactionRows) Err() error             { return r.err }

func (r *transactionRows) Close() {
	r.Rows.Close()
	if r.end != nil {
		r.err = r.end(r.Rows.Err())
		r.end = nil
	}
}

// commit commits what has not been committed with the last statement.
func (t *transaction) commit(ctx context.Context) error {
	if slices.ContainsFunc(t.ahead, func(q queued) bool { return q.judge != nil }) {
		_ = t.settle(ctx) // It remembers what it returns.
	}
	if t.refused != nil {
		return t.refused
	}
	if t.committed || !t.begun && len(t.ahead) == 0 {
		return nil
	}
	tag, err := t.Exec(ctx, commitStatement)
	if err == nil && tag.String() != commitStatement {
		err = translate(pgx.ErrTxCommitRollback)
	}
	return err
}

// rollback undoes what was not committed, and gives the connection back.
func (t *transaction) rollback(ctx context.Context, p pooled, result error) {
	if session := t.conn.Conn(); !session.IsClosed() && session.PgConn().TxStatus() != idle {
		ending, cancel := bound(ctx, t.until)
		defer cancel()
		_, _ = t.conn.Exec(ending, "ROLLBACK") // If it fails, so does the connection.
	}
	p.giveBack(ctx, t.conn, result)
}
