package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/supportbackend/support/gen/sqlc"
)

// unit is the transaction in a context. Everything that runs with the context joins it.
type unit struct {
	store *Store
	db    sqlc.DBTX
	// after runs after the commit.
	after []func()
	// finally runs after that, and after a rollback too.
	finally []func()
	// ended stops later statements with the context from joining.
	ended atomic.Bool
}

type unitKey struct{}

// unitFrom returns the context's transaction, or nil.
func unitFrom(ctx context.Context) *unit {
	if u, ok := ctx.Value(unitKey{}).(*unit); ok && !u.ended.Load() {
		return u
	}
	return nil
}

// InTx runs fn in a transaction and commits it when fn returns nil. All queries through the Store with fn's context
// join the transaction, and so do nested calls of InTx; the outermost one commits. fn must not use the context from
// several goroutines, and should be short: PostgreSQL ends a transaction that idles for 10 seconds.
//
// fn may run again if the transaction lost a conflict. Effects outside the database belong in AfterCommit. A failed
// statement fails the transaction, even if fn continues.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if u := s.unit(ctx); u != nil {
		return fn(context.WithValue(ctx, joinedKey{}, u))
	}
	until := time.Now().Add(callTimeout)
	acquire := s.db.acquire
	for attempt := 0; ; attempt++ {
		undone, err := s.try(ctx, until, acquire, fn)
		switch {
		case err == nil || attempt == txRetries || ctx.Err() != nil:
			return err
		case attempt == 0 && undone:
			acquire = s.db.acquireAlive
		case attempt == 0 && isReadOnly(err):
		case !isSerializationFailure(err) || !pause(ctx):
			return err
		}
	}
}

// try runs a transaction once. undone means that it failed through no fault of its own, before it committed.
func (s *Store) try(
	ctx context.Context, until time.Time, acquire func(context.Context, time.Time) (*pgxpool.Conn, error),
	fn func(ctx context.Context) error,
) (undone bool, err error) {
	u := &unit{store: s}
	defer u.end()
	conn, err := acquire(ctx, until)
	if err != nil {
		return false, err
	}
	t := &transaction{conn: conn, until: until}
	u.db = t
	err = u.run(ctx, t, fn)
	if err != nil {
		return t.lost, err
	}
	s.db.noteCommitted(t.journaled)
	for _, f := range u.after {
		f()
	}
	return false, nil
}

// run runs fn and commits, or rolls back, also when fn panics.
func (u *unit) run(ctx context.Context, t *transaction, fn func(ctx context.Context) error) (err error) {
	defer func() { t.rollback(ctx, u.store.db, err) }()
	defer u.ended.Store(true)
	if err := fn(context.WithValue(ctx, unitKey{}, u)); err != nil {
		return translate(err)
	}
	return t.commit(ctx)
}

// end runs the functions of AfterEnd.
func (u *unit) end() {
	for _, f := range u.finally {
		f()
	}
}

// AfterCommit runs f after the context's transaction has committed, and never otherwise. Without a transaction, it runs
// f at once. f runs in InTx's goroutine, before InTx returns.
//
// If the connection breaks during the commit, the result is unknown and f does not run. So whatever f starts must also
// be found in another way.
func AfterCommit(ctx context.Context, f func()) {
	if u := unitFrom(ctx); u != nil {
		u.after = append(u.after, f)
		return
	}
	f()
}

// AfterEnd runs f when the context's transaction has ended, committed or not, after the functions of AfterCommit.
// Without a transaction, it runs f at once. A retried transaction ends once for each try.
func AfterEnd(ctx context.Context, f func()) {
	if u := unitFrom(ctx); u != nil {
		u.finally = append(u.finally, f)
		return
	}
	f()
}

// IsInTx reports whether the context carries a transaction of this Store, which its statements join.
func (s *Store) IsInTx(ctx context.Context) bool { return s.unit(ctx) != nil }

// unit returns the context's transaction if it is this Store's, or nil.
func (s *Store) unit(ctx context.Context) *unit {
	if u := unitFrom(ctx); u != nil && u.store == s {
		return u
	}
	return nil
}

// joining runs statements in the context's transaction, or else each on its own connection.
type joining struct{ store *Store }

var _ sqlc.DBTX = joining{}

func (j joining) on(ctx context.Context) sqlc.DBTX {
	if u := j.store.unit(ctx); u != nil {
		return u.db
	}
	return j.store.db
}

func (j joining) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return j.on(ctx).Exec(ctx, sql, args...)
}

func (j joining) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return j.on(ctx).Query(ctx, sql, args...)
}

func (j joining) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return j.on(ctx).QueryRow(ctx, sql, args...)
}
