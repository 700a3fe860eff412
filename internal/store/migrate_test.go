package store_test

import (
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/db"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// schema lists everything that migrations create, one line each, in a stable order.
const schema = `
SELECT coalesce(string_agg(line, E'\n' ORDER BY line), '') FROM (
    SELECT format('column %s.%s %s %s %s', table_name, column_name, udt_name, is_nullable, column_default) AS line
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'schema_migrations'
    UNION ALL
    SELECT format('constraint %s %s', conname, pg_get_constraintdef(c.oid)) FROM pg_constraint AS c
    JOIN pg_namespace AS n ON n.oid = c.connamespace
    WHERE n.nspname = 'public' AND conname NOT LIKE 'schema_migrations%'
    UNION ALL
    SELECT format('index %s', indexdef) FROM pg_indexes
    WHERE schemaname = 'public' AND tablename <> 'schema_migrations'
    UNION ALL
    SELECT format('enum %s %s', typname, string_agg(enumlabel, ',' ORDER BY enumsortorder))
    FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid GROUP BY typname
) AS lines`

// versions returns the versions of the migrations, in order.
func versions(t *testing.T) []uint {
	t.Helper()
	names, err := fs.Glob(db.Migrations, "migrations/*.up.sql")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	list := make([]uint, len(names))
	for i, name := range names {
		_, err := fmt.Sscanf(name, "migrations/%d_", &list[i])
		require.NoError(t, err)
	}
	return list
}

func openMigrator(t *testing.T, url string) *store.Migrator {
	t.Helper()
	m, err := store.OpenMigrator(url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func TestUpDownUpRestoresTheSchema(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	m := openMigrator(t, url)
	latest, err := store.LatestVersion()
	require.NoError(t, err)

	require.NoError(t, m.Up())
	first := storetest.QueryText(t, url, schema)
	require.Contains(t, first, "column tickets.title text NO")
	require.NoError(t, m.Up(), "nothing to do is not an error")

	require.NoError(t, m.Down(0))
	require.Empty(t, storetest.QueryText(t, url, schema))

	require.NoError(t, m.Up())
	require.Equal(t, first, storetest.QueryText(t, url, schema))
	version, dirty, err := m.Version()
	require.NoError(t, err)
	require.False(t, dirty)
	require.Equal(t, latest, version)
}

func TestEveryMigrationCanBeReverted(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	m := openMigrator(t, url)
	for _, version := range versions(t) {
		before := storetest.QueryText(t, url, schema)
		require.NoError(t, m.Goto(version))
		after := storetest.QueryText(t, url, schema)
		require.NotEqual(t, before, after)
		require.NoError(t, m.Down(1))
		require.Equal(t, before, storetest.QueryText(t, url, schema))
		require.NoError(t, m.Goto(version))
		require.Equal(t, after, storetest.QueryText(t, url, schema))
	}
}

func TestParallelMigrationsRunOnce(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	var wg sync.WaitGroup
	errs := make([]error, 10)
	for i := range errs {
		wg.Go(func() {
			m, err := store.OpenMigrator(url)
			if err == nil {
				err = m.Up()
				_ = m.Close()
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.NoError(t, storetest.Open(t, url).Ready(t.Context()))
}

func TestReadinessFollowsTheSchema(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	s := storetest.Open(t, url)
	m := openMigrator(t, url)
	require.True(t, apperr.Is(s.Ready(t.Context()), apperr.SchemaDirty), "no schema yet")
	require.NoError(t, m.Up())
	require.NoError(t, s.Ready(t.Context()))
	require.NoError(t, m.Down(1))
	require.True(t, apperr.Is(s.Ready(t.Context()), apperr.SchemaDirty), "one version behind")
	require.NoError(t, m.Up())

	storetest.Exec(t, url, "UPDATE schema_migrations SET version = version + 1")
	require.NoError(t, s.Ready(t.Context()), "a newer schema")
	storetest.Exec(t, url, "UPDATE schema_migrations SET dirty = true")
	require.NoError(t, s.Ready(t.Context()), "an interrupted migration of a newer release does not matter")
	storetest.Exec(t, url, "UPDATE schema_migrations SET version = version - 1")
	require.True(t, apperr.Is(s.Ready(t.Context()), apperr.SchemaDirty), "an interrupted migration")
	err := m.Up()
	require.ErrorContains(t, err, "support migrate force")
}

func TestAdviceForTheFirstMigrationWorks(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	m := openMigrator(t, url)
	storetest.Exec(t, url, "INSERT INTO schema_migrations (version, dirty) VALUES (1, true)")
	require.ErrorContains(t, m.Up(), `"support migrate force 0"`)
	require.NoError(t, m.Force(0))
	require.NoError(t, m.Up())
	require.NoError(t, storetest.Open(t, url).Ready(t.Context()))
}

func TestRevertingTooManyMigrationsEndsAtTheFirst(t *testing.T) {
	t.Parallel()
	m := openMigrator(t, storetest.NewEmptyURL(t))
	require.NoError(t, m.Down(1), "nothing to revert")
	require.NoError(t, m.Up())
	require.NoError(t, m.Down(99))
	require.NoError(t, m.Up())
	require.NoError(t, m.Goto(0))
	version, _, err := m.Version()
	require.NoError(t, err)
	require.Zero(t, version)
}

// waitingSince returns when a migration began the attempt that waits for a lock, or nothing.
func waitingSince(t *testing.T, url string) string {
	t.Helper()
	return storetest.QueryText(t, url, `SELECT coalesce(max(query_start)::text, '') FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'support migrate' AND wait_event_type = 'Lock'`)
}

func TestMigrationThatWaitsForALockIsRetried(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	m := openMigrator(t, url)
	require.NoError(t, m.Goto(2)) // The next migration refers to tickets.
	s := storetest.Open(t, url)
	release := storetest.LockTable(t, url, "tickets")
	require.ErrorContains(t, m.Goto(3), "changed nothing")
	version, dirty, err := m.Version()
	require.NoError(t, err)
	require.EqualValues(t, 2, version)
	require.False(t, dirty)
	require.NotContains(t, s.Ready(t.Context()).Error(), "broke off")

	ended := make(chan error)
	go func() { ended <- m.Goto(3) }()
	var first string
	require.Eventually(t, func() bool { first = waitingSince(t, url); return first != "" }, patience, patience/1000)
	require.Eventually(t, func() bool { return waitingSince(t, url) > first }, patience, patience/1000, "another try")
	release()
	require.NoError(t, <-ended)
	require.NoError(t, m.Up())
	require.NoError(t, s.Ready(t.Context()))
}

func TestFailedMigrationKeepsTheVersion(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	m := openMigrator(t, url)
	require.NoError(t, m.Goto(2))
	storetest.Exec(t, url, "CREATE TABLE ai_responses ()") // The next migration creates this table.
	err := m.Up()
	require.ErrorContains(t, err, "the migration to version 3 changed nothing")
	require.ErrorContains(t, err, "42P07")
	version, dirty, err := m.Version()
	require.NoError(t, err)
	require.EqualValues(t, 2, version)
	require.False(t, dirty)
	storetest.Exec(t, url, "DROP TABLE ai_responses")
	require.NoError(t, m.Up(), "the same session still works")
}

// Limits are in characters, and texts in any language.
func TestDatabaseOfAnotherEncodingIsRefused(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"SQL_ASCII", "LATIN1"} {
		err := openMigrator(t, storetest.NewEncodedURL(t, encoding)).Up()
		require.ErrorContains(t, err, "has the encoding "+encoding+" and must have UTF8")
		require.ErrorContains(t, err, "CREATE DATABASE")
	}
}

func TestEveryMigrationIsOneTransactionWithALockTimeout(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(db.Migrations, "migrations/*.sql")
	require.NoError(t, err)
	for _, name := range names {
		text, err := fs.ReadFile(db.Migrations, name)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), "BEGIN;\nSET LOCAL lock_timeout = '2s';\n"), name)
		require.True(t, strings.HasSuffix(strings.TrimSpace(string(text)), "\nCOMMIT;"), name)
		require.Equal(t, 1, strings.Count(string(text), "COMMIT;"), name)
		require.NotContains(t, string(text), "CONCURRENTLY", name)
	}
}

func TestMigrationsAcceptPoolParameters(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		storetest.NewEmptyURL(t) + "&pool_max_conns=7&pool_min_conns=1&connect_timeout=5",
		keywords(t, storetest.NewEmptyURL(t)),
	} {
		require.NoError(t, openMigrator(t, url).Up())
		require.NoError(t, storetest.Open(t, url).Ready(t.Context()))
	}
}

// keywords returns the URL as a keyword string.
func keywords(t *testing.T, databaseURL string) string {
	t.Helper()
	c, err := pgx.ParseConfig(databaseURL)
	require.NoError(t, err)
	return fmt.Sprintf("host=%s port=%d dbname=%s user=%s password='%s' sslmode=disable", c.Host, c.Port, c.Database, c.User, c.Password)
}

func TestSchemaOfANewerReleaseIsNotReverted(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	m := openMigrator(t, url)
	storetest.Exec(t, url, "UPDATE schema_migrations SET version = 99")
	require.NoError(t, m.Up(), "it has nothing to add")
	require.ErrorContains(t, m.Down(1), "a newer release")
	require.ErrorContains(t, m.Down(0), "a newer release")
	require.ErrorContains(t, m.Goto(2), "a newer release")
	require.Equal(t, "99", storetest.QueryText(t, url, "SELECT version::text FROM schema_migrations"))
}
