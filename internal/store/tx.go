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

// unit is a transaction that its context carries along: whatever runs with the context joins it.
type unit struct {
	store *Store
	db    sqlc.DBTX
	// after is what to do once it is committed.
	after []func()
	// finally is what to do once it has ended, committed or not, after that.
	finally []func()
	// ended stops statements from joining when somebody uses the context after the transaction.
	ended atomic.Bool
}

type unitKey struct{}

// unitFrom returns the transaction that the context carries, or nil.
func unitFrom(ctx context.Context) *unit {
	if u, ok := ctx.Value(unitKey{}).(*unit); ok && !u.ended.Load() {
		return u
	}
	return nil
}

// InTx runs fn in one transaction and commits it when fn returns nil. Everything that is done through the Store with fn's
// context joins the transaction: queries, and InTx itself, whose outermost call commits. It is one connection, so fn must
// not use it from several goroutines, and what it does should be short: PostgreSQL ends a transaction that idles for 10
// seconds.
//
// fn may run again when the transaction lost against another one. Effects outside the database belong in AfterCommit. A
// statement that failed fails the whole, even if fn goes on.
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

// try runs a transaction once. undone says that it has failed by no fault of its own, before it could be committed.
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

// run runs fn and commits what it has done, or undoes it, also when fn panics.
func (u *unit) run(ctx context.Context, t *transaction, fn func(ctx context.Context) error) (err error) {
	defer func() { t.rollback(ctx, u.store.db, err) }()
	defer u.ended.Store(true)
	if err := fn(context.WithValue(ctx, unitKey{}, u)); err != nil {
		return translate(err)
	}
	return t.commit(ctx)
}

// end does what is to be done however the transaction ended.
func (u *unit) end() {
	for _, f := range u.finally {
		f()
	}
}

// AfterCommit runs f when the transaction that the context carries is committed, and never if it is not. Without such a
// transaction it runs f at once. f runs in the goroutine of InTx, before that returns.
//
// When the connection breaks during the commit, nobody knows whether it took place, and f does not run: what f starts
// must be found by somebody else as well.
func AfterCommit(ctx context.Context, f func()) {
	if u := unitFrom(ctx); u != nil {
		u.after = append(u.after, f)
		return
	}
	f()
}

// AfterEnd runs f when the transaction that the context carries has ended, committed or not, after what runs AfterCommit.
// Without such a transaction it runs f at once. A transaction that runs again has ended before.
func AfterEnd(ctx context.Context, f func()) {
	if u := unitFrom(ctx); u != nil {
		u.finally = append(u.finally, f)
		return
	}
	f()
}

// IsInTx reports whether the context carries a transaction of this Store, which its statements join.
func (s *Store) IsInTx(ctx context.Context) bool { return s.unit(ctx) != nil }

// unit returns the transaction of this Store that the context carries, or nil.
func (s *Store) unit(ctx context.Context) *unit {
	if u := unitFrom(ctx); u != nil && u.store == s {
		return u
	}
	return nil
}

// joining runs statements in the transaction that the context carries, or else each on a connection of its own.
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
