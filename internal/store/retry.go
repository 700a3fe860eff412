package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// retry runs try on a connection, and again where that is safe:
//
//   - on a live connection, when the first one was lost (as all are when the database restarts) and the statement only
//     reads or was never sent;
//   - after a random pause, when the statement lost a conflict and had no effect;
//   - on a new connection, when the schema has changed since the session planned the statement;
//   - on a new connection, when the server no longer accepts writes: after a switch-over, another one does.
//
// A try that succeeds has the connection and releases it.
func (p pooled) retry(ctx context.Context, until time.Time, reads bool, try func(*pgxpool.Conn) error) error {
	conn, err := p.acquire(ctx, until)
	for attempt := 0; ; attempt++ {
		if err != nil {
			return err
		}
		failure := try(conn)
		if failure == nil {
			return nil
		}
		p.giveBack(ctx, conn, failure)
		if ctx.Err() != nil {
			return translate(failure)
		}
		switch {
		case attempt == 0 && isLost(failure) && (reads || pgconn.SafeToRetry(failure)):
			conn, err = p.acquireAlive(ctx, until)
		case attempt == 0 && (isStalePlan(failure) || isReadOnly(failure)):
			conn, err = p.acquire(ctx, until)
		case attempt < txRetries && isSerializationFailure(translate(failure)):
			if !pause(ctx) {
				return translate(failure)
			}
			conn, err = p.acquire(ctx, until)
		default:
			return translate(failure)
		}
	}
}

// pause waits for a random time, so that conflicting transactions do not collide again. It reports whether ctx allows
// another try.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(txMinPause + rand.N(txMaxPause-txMinPause)) //nolint:gosec // Jitter needs no secrecy.
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// isLost reports whether the connection ended during the statement.
func isLost(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case pgerrcode.AdminShutdown, pgerrcode.CrashShutdown, pgerrcode.CannotConnectNow, pgerrcode.IdleSessionTimeout:
			return true
		}
		return pgerrcode.IsConnectionException(pg.Code)
	}
	var network net.Error
	return isBroken(err) || errors.As(err, &network) && !isContext(err)
}

// isStalePlan reports whether a statement failed, without effect, because the schema has changed since its session
// planned it, or while it ran. Otherwise, the types of all statements fit the schema.
func isStalePlan(err error) bool {
	state := sqlStateOf(err)
	return state == pgerrcode.FeatureNotSupported || state == pgerrcode.DatatypeMismatch
}

// onlyReads reports whether a statement changes nothing, so that it may run twice. Its name tells, which sqlc puts in
// the first line; a test over the queries checks the names.
func onlyReads(sql string) bool {
	name, named := strings.CutPrefix(sql, "-- name: ")
	return named && slices.ContainsFunc(reading, func(word string) bool { return strings.HasPrefix(name, word) })
}

// reading are the first words of the names of read-only queries.
var reading = []string{"Count", "Find", "Get", "List"}
