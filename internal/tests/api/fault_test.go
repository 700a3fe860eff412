package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/testing/apitest"
	"github.com/supportbackend/support/internal/testing/desk"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// newCastBehindRelay returns a cast and a function that cuts its database off.
func newCastBehindRelay(t *testing.T) (c *cast, cut func()) {
	t.Helper()
	direct := storetest.NewURL(t)
	address, err := url.Parse(direct)
	require.NoError(t, err)
	database := &movingDatabase{}
	database.target.Store(&address.Host)
	c = newCastOn(t, desk.Options{DatabaseURL: database.listen(t, direct)})
	return c, func() {
		database.target.Store(nil)
		storetest.Exec(t, direct, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	}
}

// forget waits until the server's cache of callers has expired, so that requests fail with this status.
func (c *cast) forget(t *testing.T, status int) {
	t.Helper()
	callers := make(map[*apitest.User]bool)
	for _, o := range c.calls(t) {
		callers[o.by] = true
	}
	for user := range callers {
		require.Eventually(t, func() bool { return user.Do(t, http.MethodGet, "/me", "").Status == status },
			patience, 10*time.Millisecond)
	}
}

// removeTables renames all tables but one.
func (c *cast) removeTables(t *testing.T, kept string) {
	t.Helper()
	storetest.Exec(t, c.DatabaseURL, `DO $$ DECLARE name text; BEGIN
		FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '`+kept+`' LOOP
			EXECUTE format('ALTER TABLE %I RENAME TO %I', name, name || '_gone');
		END LOOP;
	END $$`)
}

// requireFailures sends the calls that declare the status, and requires that each fails with it and hides the cause.
func (c *cast) requireFailures(t *testing.T, calls []call, status int, code client.ProblemCode) {
	t.Helper()
	for _, call := range calls {
		if call.Responses.Status(status) == nil {
			continue
		}
		r := c.do(t, call, call.body, jsonType)
		requireRefused(t, r, status, code)
		require.NotContains(t, string(r.Body), "_gone")
		require.NotContains(t, string(r.Body), "42P01")
	}
}

func TestEveryOperationReportsALostDatabase(t *testing.T) {
	t.Parallel()
	d, cut := newCastBehindRelay(t)
	calls := d.calls(t)
	cut()
	d.forget(t, http.StatusServiceUnavailable)
	d.requireFailures(t, calls, http.StatusServiceUnavailable, client.ProblemCodeDBUnavailable)
}

// An unexpected fault, such as a database without its tables.
func TestEveryOperationHidesTheCauseOfAFault(t *testing.T) {
	t.Parallel()
	d := newCastOn(t, desk.Options{
		DatabaseURL: storetest.NewURL(t), // A database whose journal the test's clean-up does not read.
		Ready:       func(context.Context) error { return errors.New(canary) },
	})
	calls := d.calls(t)
	d.removeTables(t, "")
	d.forget(t, http.StatusInternalServerError)
	d.requireFailures(t, calls, http.StatusInternalServerError, client.ProblemCodeInternal)
}

// A release that was started before its migration, or a schema that was reverted.
func TestEveryOperationSaysThatTheSchemaIsOld(t *testing.T) {
	t.Parallel()
	d := newCastOn(t, desk.Options{DatabaseURL: storetest.NewURL(t)})
	calls := d.calls(t)
	require.Equal(t, http.StatusOK, d.Do(t, http.MethodGet, "/readyz", "").Status)
	d.removeTables(t, "schema_migrations")
	storetest.Exec(t, d.DatabaseURL, "UPDATE schema_migrations SET version = 1")
	r := d.Do(t, http.MethodPost, "/auth/login", `{"email":"ada@example.com","password":"correct horse battery"}`, contentJSON)
	requireRefused(t, r, http.StatusServiceUnavailable, client.ProblemCodeSchemaDirty) // The successful probe does not hide the cause.
	d.forget(t, http.StatusServiceUnavailable)
	d.requireFailures(t, calls, http.StatusServiceUnavailable, client.ProblemCodeSchemaDirty)
}

func TestEveryOperationIsLimited(t *testing.T) {
	t.Parallel()
	d := newCast(t)
	limited := desk.New(t, desk.Options{DatabaseURL: d.DatabaseURL, RateLimit: 1})
	for _, c := range d.calls(t) {
		if c.Responses.Status(http.StatusTooManyRequests) == nil {
			continue
		}
		exhaust(t, func(int) apitest.Response {
			// The unknown parameter keeps the operation from running.
			return limited.Do(t, c.method, c.path+"?unknown=1", "", c.by.Bearer())
		}).RequireProblem(t, http.StatusTooManyRequests, client.ProblemCodeRateLimited)
	}
}
