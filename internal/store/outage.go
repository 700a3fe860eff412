package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
)

// OutageError says why the database cannot be used. Of the database URL, it shows only the server's address.
type OutageError struct {
	// Cause is a few words, such as "connection refused".
	Cause string
	// Advice says what to do about it; empty when only waiting helps.
	Advice string
	// Addr is the host and port of the attempt; empty when the connection was lost later.
	Addr string
	// SQLState is PostgreSQL's code, if it answered.
	SQLState string
}

// Error returns the cause, the address and the SQLSTATE.
func (o *OutageError) Error() string {
	text := "database: " + o.Cause
	if o.Addr != "" {
		text += " at " + o.Addr
	}
	if o.SQLState != "" {
		text += " (SQLSTATE " + o.SQLState + ")"
	}
	return text
}

// Causes that more than one place uses.
const (
	causeReadOnly = "server is read-only"
	causeTimeout  = "no answer in time"
	causeLost     = "connection lost"
)

// refusals are the SQLSTATEs with which a server refuses to work at all.
var refusals = map[string]OutageError{
	pgerrcode.InvalidPassword: {
		Cause: "wrong user or password", Advice: "Check the user and the password in the database URL.",
	},
	pgerrcode.InvalidAuthorizationSpecification: {
		Cause: "access denied", Advice: "Check the user in the database URL, its sslmode, and the server's pg_hba.conf.",
	},
	pgerrcode.InvalidCatalogName: {
		Cause: "no such database", Advice: "Create the database that the URL names, or correct the name.",
	},
	pgerrcode.DiskFull: {
		Cause: "disk is full", Advice: "Free space on the database's disk.",
	},
	pgerrcode.TooManyConnections: {
		Cause: "too many connections", Advice: "Lower SUPPORT_DB_MAX_CONNS, or raise max_connections of the server.",
	},
	pgerrcode.ProtocolViolation: {
		Cause:  "start-up parameters refused",
		Advice: "If the URL leads to PgBouncer, set SUPPORT_DB_POOLER=transaction and SUPPORT_DB_MIGRATE_URL.",
	},
	pgerrcode.InsufficientPrivilege: {
		Cause:  "role lacks a privilege",
		Advice: "Connect as the role that owns the tables, or act as it: GRANT owner TO role; ALTER ROLE role SET role = owner.",
	},
	pgerrcode.ReadOnlySQLTransaction: {
		Cause: causeReadOnly, Advice: "Use the address of the primary, or name all hosts and target_session_attrs=read-write.",
	},
	pgerrcode.AdminShutdown:                   {Cause: "server is shutting down"},
	pgerrcode.CrashShutdown:                   {Cause: "server has crashed"},
	pgerrcode.CannotConnectNow:                {Cause: "server is starting or shutting down"},
	pgerrcode.IdleSessionTimeout:              {Cause: "session was idle for too long"},
	pgerrcode.IdleInTransactionSessionTimeout: {Cause: "transaction was idle for too long"},
}

// outageOf returns the outage behind a driver's error. addr is the address of the connection, or empty.
func outageOf(err error, addr string) *OutageError {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) && connect.Config != nil {
		addr = addrOf(connect.Config.Host, connect.Config.Port)
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		o := refusalOf(pg.Code)
		o.Addr = addr
		return o
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" && dial.Addr != nil {
		addr = dial.Addr.String()
	}
	o := networkOutage(err)
	o.Addr = addr
	return &o
}

func refusalOf(sqlState string) *OutageError {
	o, known := refusals[sqlState]
	if !known {
		o = OutageError{Cause: "server refuses"}
	}
	o.SQLState = sqlState
	return &o
}

func networkOutage(err error) OutageError {
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return OutageError{Cause: "unknown host", Advice: "Check the host in the database URL."}
	case errors.As(err, &dns):
		return OutageError{Cause: "name lookup failed", Advice: "Check the host in the database URL, and this machine's DNS."}
	case errors.Is(err, pgconn.ErrReadOnlyConnection):
		return refusals[pgerrcode.ReadOnlySQLTransaction]
	case errors.Is(err, syscall.ENOENT):
		return OutageError{Cause: "no such socket", Advice: "Check the folder and the port in the database URL, and that the server is running."}
	case errors.Is(err, syscall.EACCES):
		return OutageError{Cause: "no access to the socket", Advice: "Give this program's user access to the socket and its folder."}
	case errors.Is(err, syscall.ECONNREFUSED):
		return OutageError{Cause: "connection refused", Advice: "Check the host and port in the database URL, and that the server is running."}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return OutageError{Cause: "too many open files", Advice: "Raise the limit of open files (ulimit -n, LimitNOFILE)."}
	case isTLS(err):
		return OutageError{Cause: "TLS failed", Advice: "Check sslmode and sslrootcert in the database URL, and the server's certificate."}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return OutageError{Cause: causeTimeout, Advice: "Check the host in the database URL, and the firewalls on the way."}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return OutageError{Cause: "host unreachable", Advice: "Check the host in the database URL, and the network."}
	default:
		return OutageError{Cause: causeLost}
	}
}

// isTLS reports whether the two sides could not agree on TLS. For a server without TLS, the driver has only a text.
func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &certificate) ||
		errors.As(err, &authority) || errors.As(err, &hostname) ||
		err != nil && strings.Contains(err.Error(), "refused TLS connection")
}

// isTimeout reports whether the database did not answer in time.
func isTimeout(err error) bool {
	var o *OutageError
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &o) && o.Cause == causeTimeout
}

// isReadOnly reports whether a statement failed because the server accepts no writes.
func isReadOnly(err error) bool { return sqlStateOf(err) == pgerrcode.ReadOnlySQLTransaction }
