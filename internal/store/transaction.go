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
	// idle is the status of a session outside a transaction.
	idle = 'I'
)

// errCommitted reports a statement after the one that was sent with Last.
var errCommitted = errors.New("store: the transaction was committed with its last statement")

// transaction is a transaction on its own connection. Round trips are most of its cost, so it sends BEGIN with the
// first statement, COMMIT with the statement of Last, and the statements of Ahead with the next one.
type transaction struct {
	conn  *pgxpool.Conn
	until time.Time
	// begun means that BEGIN has succeeded, and committing that COMMIT was sent: if its reply is lost, the result is
	// unknown.
	begun, committing, committed bool
	// journaled means that a statement has added journal entries.
	journaled bool
	// ahead holds the statements to send with the next one.
	ahead []queued
	// lost means that the transaction failed through no fault of its own, and had no effect.
	lost bool
	// refused is the error of AheadIf's function.
	refused error
}

var _ sqlc.DBTX = (*transaction)(nil)

type queued struct {
	sql  string
	args []any
	// judge decides whether the transaction may continue; nil always lets it.
	judge func(rows int64, err error) error
}

type (
	lastKey  struct{}
	aheadKey struct{}
)

// Ahead returns a context that delays its statement, which must have no result, to send it with the transaction's next
// one. This saves a round trip, for example for a lock. The next statement returns its error.
func Ahead(ctx context.Context) context.Context {
	if unitFrom(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, aheadKey{}, true)
}

// AheadIf is Ahead for a statement that decides whether the transaction continues. judge receives the number of rows
// that it changed and its translated error. If judge returns an error, the next statement and the transaction fail with
// it, and nothing takes effect. If there may be no next statement, call Settle.
func AheadIf(ctx context.Context, judge func(rows int64, err error) error) context.Context {
	return context.WithValue(ctx, aheadKey{}, judge)
}

// Settle sends the delayed statements of the context's transaction. It returns the error of AheadIf's function, now or
// from before.
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

// pass reads the result of a delayed statement.
func (t *transaction) pass(q queued, results pgx.BatchResults) error {
	tag, err := results.Exec()
	if q.judge == nil {
		return err
	}
	t.lost = t.lost || isStalePlan(err) || err != nil && isLost(err)
	t.refused = q.judge(tag.RowsAffected(), translate(err))
	return t.refused
}

// Last returns a context whose statement is the last one of the transaction: COMMIT is sent with it, which saves a
// round trip and shortens locks. If the statement finds no row, the transaction commits all the same, so it must then
// have changed nothing. Last has no effect in a nested InTx.
func Last(ctx context.Context) context.Context {
	if u := unitFrom(ctx); u == nil || ctx.Value(joinedKey{}) == u {
		return ctx
	}
	return context.WithValue(ctx, lastKey{}, true)
}

// joinedKey marks the context of a nested InTx.
type joinedKey struct{}

// start sends a statement, after BEGIN if necessary. The next of the results is the statement's.
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
		last = last && q.judge == nil // COMMIT would not wait for judge.
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
			_ = results.Close() // It fails for the same reason, or is rolled back.
			return nil, false, err
		}
		t.begun = true
	}
	return results, last, nil
}

// finish reads the results after a statement's.
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

// noted translates a statement's error, and remembers whether a retry may succeed.
func (t *transaction) noted(err error) error {
	if t.refused != nil {
		return t.refused
	}
	t.lost = t.lost || isStalePlan(err) || err != nil && !t.committing && isLost(err)
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

// call runs a statement and reads its result at once.
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
		_ = t.finish(results, false) // The statement's error says more.
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

// transactionRows are the rows of a statement. Reading the last one finishes the statement.
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

// commit commits, unless Last has done so.
func (t *transaction) commit(ctx context.Context) error {
	if slices.ContainsFunc(t.ahead, func(q queued) bool { return q.judge != nil }) {
		_ = t.settle(ctx) // The transaction remembers its error.
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

// rollback rolls back unless committed, and gives the connection back.
func (t *transaction) rollback(ctx context.Context, p pooled, result error) {
	if session := t.conn.Conn(); !session.IsClosed() && session.PgConn().TxStatus() != idle {
		ending, cancel := bound(ctx, t.until)
		defer cancel()
		_, _ = t.conn.Exec(ending, "ROLLBACK") // If it fails, so does the connection.
	}
	p.giveBack(ctx, t.conn, result)
}
