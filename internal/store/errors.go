package store

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/supportbackend/support/internal/apperr"
)

// retryDatabaseAfter is when to retry a request that failed because of the database.
const retryDatabaseAfter = time.Second

// Error is a statement that PostgreSQL refused. Unlike the driver's error, it holds no values of the statement.
type Error struct {
	// SQLState is the error's code.
	SQLState string
	// Constraint is the constraint that was violated, if it was one.
	Constraint string
}

// Error names the SQLSTATE and the constraint.
func (e *Error) Error() string {
	if e.Constraint != "" {
		return "postgres: SQLSTATE " + e.SQLState + " on " + e.Constraint
	}
	return "postgres: SQLSTATE " + e.SQLState
}

// IsUniqueViolation reports whether err is the violation of the unique constraint or index of that name.
func IsUniqueViolation(err error, constraint string) bool {
	var e *Error
	return errors.As(err, &e) && e.SQLState == pgerrcode.UniqueViolation && e.Constraint == constraint
}

// IsLockTimeout reports whether err is that the wait for a lock was too long.
func IsLockTimeout(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.SQLState == pgerrcode.LockNotAvailable
}

// IsRefused reports whether PostgreSQL has refused a statement for what it says, and not because of the database's state.
func IsRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && !apperr.Is(err, apperr.DBBusy)
}

func isSerializationFailure(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.SQLState == pgerrcode.SerializationFailure || e.SQLState == pgerrcode.DeadlockDetected)
}

// sqlStateOf is PostgreSQL's code of an error, translated or not, or empty.
func sqlStateOf(err error) string {
	var pg *pgconn.PgError
	var e *Error
	var o *OutageError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &pg):
		return pg.Code
	case errors.As(err, &e):
		return e.SQLState
	case errors.As(err, &o):
		return o.SQLState
	default:
		return ""
	}
}

func isUndefinedTable(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.SQLState == pgerrcode.UndefinedTable
}

func unavailable(cause error) *apperr.Error {
	return apperr.Wrap(apperr.DBUnavailable, "The database does not answer.", cause).After(retryDatabaseAfter)
}

func busy(cause error) *apperr.Error {
	return apperr.Wrap(apperr.DBBusy, "The database is busy.", cause).After(retryDatabaseAfter)
}

// translate turns the driver's errors into ones that carry no values and, when the fault is the database's, a code. Errors
// that have been translated already, and errors of others, are passed on. That a deadline has passed means that the
// database did not answer in time.
func translate(err error) error {
	if err == nil || isTranslated(err) {
		return err
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return unavailable(outageOf(err, ""))
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return classify(&Error{SQLState: pg.Code, Constraint: pg.ConstraintName})
	}
	var network net.Error
	if isTimeout(err) || errors.As(err, &network) && !errors.Is(err, context.Canceled) || isBroken(err) {
		return unavailable(outageOf(err, ""))
	}
	return err
}

func isTranslated(err error) bool {
	var known *apperr.Error
	return errors.As(err, &known)
}

func classify(e *Error) error {
	switch e.SQLState {
	case pgerrcode.AdminShutdown, pgerrcode.CrashShutdown, pgerrcode.CannotConnectNow, pgerrcode.IdleSessionTimeout, pgerrcode.IdleInTransactionSessionTimeout,
		pgerrcode.ReadOnlySQLTransaction, pgerrcode.InvalidCatalogName:
		return unavailable(refusalOf(e.SQLState))
	case pgerrcode.LockNotAvailable, pgerrcode.QueryCanceled, pgerrcode.SerializationFailure, pgerrcode.DeadlockDetected:
		return busy(e)
	case pgerrcode.CharacterNotInRepertoire, pgerrcode.UntranslatableCharacter:
		return apperr.Wrap(apperr.ValidationFailed, "The text has a character that cannot be stored.", e)
	}
	switch {
	case pgerrcode.IsConnectionException(e.SQLState),
		pgerrcode.IsInvalidAuthorizationSpecification(e.SQLState),
		pgerrcode.IsInsufficientResources(e.SQLState):
		return unavailable(refusalOf(e.SQLState))
	}
	return e
}

// isBroken reports whether the connection ended during the statement, for which the driver has only a text.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "conn closed")
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// NotFound is err, with the NotFound that callers are told in the place of ErrNoRows: what is not there and what is not
// theirs are the same.
func NotFound(err error) error {
	if errors.Is(err, ErrNoRows) {
		return apperr.New(apperr.NotFound, "There is nothing here.")
	}
	return err
}
