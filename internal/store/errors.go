package store

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/supportbackend/support/internal/apperr"
)

// retryDatabaseAfter is when a request that failed because of the database is worth another try.
const retryDatabaseAfter = time.Second

// SQLSTATE codes (PostgreSQL manual, appendix A).
const (
	uniqueViolation            = "23505"
	characterNotInRepertoire   = "22021"
	untranslatableCharacter    = "22P05"
	serializationFailure       = "40001"
	deadlockDetected           = "40P01"
	undefinedTable             = "42P01"
	featureNotSupported        = "0A000"
	lockNotAvailable           = "55P03"
	queryCanceled              = "57014"
	adminShutdown              = "57P01"
	crashShutdown              = "57P02"
	cannotConnectNow           = "57P03"
	idleInTransactionTimeout   = "25P03"
	readOnlySQLTransaction     = "25006"
	invalidCatalogName         = "3D000"
	invalidAuthorization       = "28000"
	invalidPassword            = "28P01"
	tooManyConnections         = "53300"
	protocolViolation          = "08P01"
	connectionExceptionClass   = "08"
	invalidAuthorizationClass  = "28"
	insufficientResourcesClass = "53"
	idleSessionTimeout         = "57P05"
)

// Error is a statement that PostgreSQL refused. In contrast to the driver's error it holds no values of the statement.
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
	return errors.As(err, &e) && e.SQLState == uniqueViolation && e.Constraint == constraint
}

// IsLockTimeout reports whether err is that the wait for a lock was too long.
func IsLockTimeout(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.SQLState == lockNotAvailable
}

func isSerializationFailure(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.SQLState == serializationFailure || e.SQLState == deadlockDetected)
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
	return errors.As(err, &e) && e.SQLState == undefinedTable
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
	case adminShutdown, crashShutdown, cannotConnectNow, idleSessionTimeout, idleInTransactionTimeout,
		readOnlySQLTransaction, invalidCatalogName:
		return unavailable(refusalOf(e.SQLState))
	case lockNotAvailable, queryCanceled, serializationFailure, deadlockDetected:
		return busy(e)
	case characterNotInRepertoire, untranslatableCharacter:
		return apperr.Wrap(apperr.ValidationFailed, "The text has a character that cannot be stored.", e)
	}
	switch {
	case strings.HasPrefix(e.SQLState, connectionExceptionClass),
		strings.HasPrefix(e.SQLState, invalidAuthorizationClass),
		strings.HasPrefix(e.SQLState, insufficientResourcesClass):
		return unavailable(refusalOf(e.SQLState))
	}
	return e
}

// isBroken reports whether the connection ended under the statement, which the driver says in plain words only.
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
