package store_test

import (
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/db"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/store/storetest"
)

// schema describes everything that migrations make, one line each, in a stable order.
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

func openMigrator(t *testing.T, url string) *store.Migrator {
	t.Helper()
	m, err := store.OpenMigrator(url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func TestUpDownUpGivesTheSameSchema(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	m := openMigrator(t, url)
	latest, err := store.LatestVersion()
	require.NoError(t, err)

	require.NoError(t, m.Up())
	first := storetest.QueryText(t, url, schema)
	require.Contains(t, first, "column tickets.title text NO")
	require.NoError(t, m.Up(), "nothing to do is no error")

	require.NoError(t, m.Down(0))
	require.Empty(t, storetest.QueryText(t, url, schema))

	require.NoError(t, m.Up())
	require.Equal(t, first, storetest.QueryText(t, url, schema))
	version, dirty, err := m.Version()
	require.NoError(t, err)
	require.False(t, dirty)
	require.Equal(t, latest, version)
}

func TestEveryMigrationCanBeTakenBackByItself(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	m := openMigrator(t, url)
	names, err := fs.Glob(db.Migrations, "migrations/*.up.sql")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		version, err := strconv.ParseUint(strings.TrimPrefix(name, "migrations/")[:6], 10, 64)
		require.NoError(t, err)
		before := storetest.QueryText(t, url, schema)
		require.NoError(t, m.Goto(uint(version)))
		after := storetest.QueryText(t, url, schema)
		require.NotEqual(t, before, after)
		require.NoError(t, m.Down(1))
		require.Equal(t, before, storetest.QueryText(t, url, schema))
		require.NoError(t, m.Goto(uint(version)))
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

	storetest.Exec(t, url, "UPDATE schema_migrations SET dirty = true")
	require.True(t, apperr.Is(s.Ready(t.Context()), apperr.SchemaDirty), "a migration broke off")
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

func TestTakingBackMoreThanThereIsEndsAtNothing(t *testing.T) {
	t.Parallel()
	m := openMigrator(t, storetest.NewEmptyURL(t))
	require.NoError(t, m.Down(1), "nothing to take back")
	require.NoError(t, m.Up())
	require.NoError(t, m.Down(99))
	require.NoError(t, m.Up())
	require.NoError(t, m.Goto(0))
	version, _, err := m.Version()
	require.NoError(t, err)
	require.Zero(t, version)
}
