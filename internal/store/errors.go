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

// retryDatabaseAfter is the Retry-After of requests that failed because of the database.
const retryDatabaseAfter = time.Second

// Error is a statement that PostgreSQL refused. Unlike the driver's error, it holds no values of the statement.
type Error struct {
	// SQLState is the error's code.
	SQLState string
	// Constraint is the constraint that was violated, if it was one.
	Constraint string
}

// Error returns the SQLSTATE and the constraint.
func (e *Error) Error() string {
	if e.Constraint != "" {
		return "postgres: SQLSTATE " + e.SQLState + " on " + e.Constraint
	}
	return "postgres: SQLSTATE " + e.SQLState
}

// Undefined reports whether the statement names something that the database does not have. All statements are checked
// against the schema when they are generated, so the database's is another one.
func (e *Error) Undefined() bool {
	switch e.SQLState {
	case pgerrcode.UndefinedTable, pgerrcode.UndefinedColumn, pgerrcode.UndefinedFunction, pgerrcode.UndefinedObject:
		return true
	default:
		return false
	}
}

// IsUniqueViolation reports whether err is a violation of the named unique constraint or index.
func IsUniqueViolation(err error, constraint string) bool {
	var e *Error
	return errors.As(err, &e) && e.SQLState == pgerrcode.UniqueViolation && e.Constraint == constraint
}

// IsLockTimeout reports whether the statement waited too long for a lock.
func IsLockTimeout(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.SQLState == pgerrcode.LockNotAvailable
}

// IsRefused reports whether PostgreSQL refused a statement because of its content, not because of the database's state.
func IsRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && !apperr.Is(err, apperr.DBBusy)
}

func isSerializationFailure(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.SQLState == pgerrcode.SerializationFailure || e.SQLState == pgerrcode.DeadlockDetected)
}

// sqlStateOf returns the SQLSTATE of an error, translated or not, or "".
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
	return apperr.Wrap(apperr.DBUnavailable, "The database is not available.", cause).After(retryDatabaseAfter)
}

func busy(cause error) *apperr.Error {
	return apperr.Wrap(apperr.DBBusy, "The database is busy.", cause).After(retryDatabaseAfter)
}

// translate converts the driver's errors to errors that hold no values and, if the database is at fault, have a code.
// It returns other errors, translated ones included, unchanged. An expired deadline means that the database did not
// answer in time.
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
		pgerrcode.ReadOnlySQLTransaction, pgerrcode.InvalidCatalogName, pgerrcode.InsufficientPrivilege:
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

// isBroken reports whether the connection ended during the statement, which only the text of the driver's error tells.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "conn closed")
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// NotFound returns err, with apperr's NotFound in place of ErrNoRows: callers cannot tell what does not exist from what
// is not theirs.
func NotFound(err error) error {
	if errors.Is(err, ErrNoRows) {
		return apperr.New(apperr.NotFound, "Nothing was found here.")
	}
	return err
}
