package store_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// changed returns the URL after a change.
func changed(t *testing.T, databaseURL string, change func(u *url.URL)) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	change(u)
	return u.String()
}

func TestCauseOfAnOutageIsNamedWithoutSecrets(t *testing.T) {
	t.Parallel()
	good := storetest.NewURL(t)
	address, err := url.Parse(good)
	require.NoError(t, err)
	host := address.Host
	for cause, wrong := range map[string]struct{ url, addr string }{
		"connection refused": {changed(t, good, func(u *url.URL) { u.Host = "127.0.0.1:1" }), "127.0.0.1:1"},
		"no such database":   {changed(t, good, func(u *url.URL) { u.Path = "/canary_database" }), host},
		"TLS failed":         {changed(t, good, func(u *url.URL) { u.RawQuery = "sslmode=require" }), host},
	} {
		s, err := store.Open(t.Context(), store.Config{URL: wrong.url, MaxConns: 1})
		require.NoError(t, err)
		ready := s.Ready(t.Context())
		s.Close()
		_, migrate := store.OpenMigrator(wrong.url)
		for _, err := range []error{ready, migrate} {
			require.True(t, apperr.Is(err, apperr.DBUnavailable), "%s: %v", cause, err)
			var outage *store.OutageError
			require.ErrorAs(t, err, &outage)
			require.Equal(t, cause, outage.Cause)
			require.Equal(t, wrong.addr, outage.Addr)
			require.NotEmpty(t, outage.Advice)
			require.Contains(t, err.Error(), cause, "the log names the cause")
			require.NotContains(t, err.Error()+outage.Advice, "canary")
			require.NotContains(t, apperr.From(err).Detail, cause, "callers do not see the cause")
		}
	}
}

func TestEveryCauseOfAnOutageIsNamed(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"name lookup failed":                  &net.DNSError{Err: "server misbehaving", Name: "db", IsTemporary: true},
		"no such socket":                      &net.OpError{Op: "dial", Err: syscall.ENOENT},
		"no access to the socket":             &net.OpError{Op: "dial", Err: syscall.EACCES},
		"role lacks a privilege":              &pgconn.PgError{Code: "42501", Message: "canary"},
		"unknown host":                        &net.DNSError{Err: "no such host", Name: "db", IsNotFound: true},
		"connection refused":                  &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
		"host unreachable":                    &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH},
		"too many open files":                 &net.OpError{Op: "dial", Err: syscall.EMFILE},
		"no answer in time":                   context.DeadlineExceeded,
		"TLS failed":                          &net.OpError{Op: "remote error", Err: x509.UnknownAuthorityError{}},
		"too many connections":                &pgconn.PgError{Code: "53300", Message: "canary"},
		"disk is full":                        &pgconn.PgError{Code: "53100", Message: "canary"},
		"wrong user or password":              &pgconn.PgError{Code: "28P01", Message: "canary"},
		"access denied":                       &pgconn.PgError{Code: "28000", Message: "canary"},
		"start-up parameters refused":         &pgconn.PgError{Code: "08P01", Message: "canary"},
		"server is read-only":                 &pgconn.PgError{Code: "25006", Message: "canary"},
		"server is starting or shutting down": &pgconn.PgError{Code: "57P03", Message: "canary"},
		"server refuses":                      &pgconn.PgError{Code: "53200", Message: "canary"},
		"connection lost":                     net.ErrClosed,
		"transaction was idle for too long":   &pgconn.PgError{Code: "25P03", Message: "canary"},
	} {
		err = store.Translate(fmt.Errorf("canary: %w", err))
		require.True(t, apperr.Is(err, apperr.DBUnavailable), "%v", err)
		require.Contains(t, err.Error(), want)
		require.NotContains(t, err.Error(), "canary")
	}
}

func TestStandbyIsNamedAsReadOnly(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	for _, query := range []string{"&default_transaction_read_only=on", "&default_transaction_read_only=on&target_session_attrs=read-write"} {
		s, err := store.Open(t.Context(), store.Config{URL: url + query, MaxConns: 1})
		require.NoError(t, err)
		err = s.Ready(t.Context())
		s.Close()
		var outage *store.OutageError
		require.ErrorAs(t, err, &outage, "%v", err)
		require.Equal(t, "server is read-only", outage.Cause)
		require.NotEmpty(t, outage.Addr)
		require.Contains(t, outage.Advice, "Use the address of the primary")
	}
}

func TestFaultOfAURLIsExplainedWithoutItsValues(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "canary")
	require.NoError(t, os.WriteFile(file, []byte("canary"), 0o600))
	for want, query := range map[string]string{
		"names a file that cannot be read":    "sslmode=verify-full&sslrootcert=/canary/ca.pem",
		"as sslrootcert without certificates": "sslmode=verify-full&sslrootcert=" + file,
		"unknown sslmode":                     "sslmode=canary",
		"not a PostgreSQL connection URL":     "connect_timeout=canary",
	} {
		err := (store.Config{URL: "postgres://u:canary@h/d?" + query}).Check()
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "canary")
	}
}

// Waiting transactions hold all shared connections, as when many requests wait for one locked ticket.
func TestReservedConnectionsStayAvailable(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 5})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	held, release, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	for range 3 {
		go func() {
			ended <- s.InTx(t.Context(), func(context.Context) error {
				held <- struct{}{}
				<-release
				return nil
			})
		}()
		<-held
	}
	_, err = s.GetSchemaMigration(t.Context())
	require.True(t, apperr.Is(err, apperr.DBBusy), "%v", err)
	_, err = s.Reserved().GetSchemaMigration(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 5, s.PoolStats().Max)
	sessions := storetest.QueryInt(t, url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'support'")
	require.LessOrEqual(t, sessions, 5, "reserved connections count towards the limit")
	close(release)
	for range 3 {
		require.NoError(t, <-ended)
	}
}

func TestCancelledCallerReleasesItsConnection(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	s, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	session := func() (pid int) {
		require.NoError(t, store.QueryRow(t.Context(), s, "SELECT pg_backend_pid()").Scan(&pid))
		return pid
	}
	before := session()
	for _, run := range []func(ctx context.Context) error{
		func(ctx context.Context) error {
			return store.QueryRow(ctx, s, "SELECT pg_sleep(1.5)::text").Scan(new(string))
		},
		func(ctx context.Context) error {
			return s.InTx(ctx, func(ctx context.Context) error {
				return store.QueryRow(ctx, s, "SELECT pg_sleep(1.5)::text").Scan(new(string))
			})
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- run(ctx) }()
		require.Eventually(t, func() bool {
			return storetest.QueryInt(t, url, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()") > 0
		}, patience, patience/1000)
		cancel()
		if err := <-ended; err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		require.Equal(t, before, session())
	}
}

func TestSilentNetworkEndsEveryCall(t *testing.T) {
	t.Parallel()
	relay := storetest.NewRelay(t, storetest.NewURL(t))
	s := storetest.Open(t, relay.URL)
	require.NoError(t, s.Ready(t.Context()))
	relay.Silence(true)
	for _, err := range crowd(t, 20, func() error {
		if err := s.Ready(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "db_") {
			return fmt.Errorf("not a failure of the database: %w", err)
		}
		return nil
	}) {
		require.NoError(t, err)
	}
	relay.Silence(false)
	require.Eventually(t, func() bool { return s.Ready(t.Context()) == nil }, patience, patience/1000)
	require.EqualValues(t, 8, s.PoolStats().Max)
}

func TestBusyPoolIsNoOutage(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Config{URL: storetest.NewURL(t), MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	// One connection cannot serve all of them in time, and is between two of them whenever others give up.
	var busy, unavailable atomic.Int64
	var callers sync.WaitGroup
	for range 2000 {
		callers.Go(func() {
			err := store.QueryRow(t.Context(), s, "SELECT pg_sleep(0.002)::text").Scan(new(string))
			switch {
			case apperr.Is(err, apperr.DBBusy):
				busy.Add(1)
			case apperr.Is(err, apperr.DBUnavailable):
				unavailable.Add(1)
			}
		})
	}
	callers.Wait()
	require.Zero(t, unavailable.Load())
	require.Positive(t, busy.Load())
}
