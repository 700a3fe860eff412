package store_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// riverSchema lists everything that River's migrations create, one line each, in a stable order.
const riverSchema = `
SELECT string_agg(line, E'\n' ORDER BY line) FROM (
    SELECT format('column %s.%s %s %s %s', table_name, column_name, udt_name, is_nullable, column_default) AS line
    FROM information_schema.columns WHERE table_name LIKE 'river%'
    UNION ALL
    SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE conrelid::regclass::text LIKE 'river%'
    UNION ALL
    SELECT format('index %s', indexdef) FROM pg_indexes WHERE tablename LIKE 'river%'
    UNION ALL
    SELECT format('persistence %s %s', relname, relpersistence) FROM pg_class WHERE relname LIKE 'river%'
    UNION ALL
    SELECT format('trigger %s', tgname) FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'river%' AND NOT tgisinternal
    UNION ALL
    SELECT format('enum %s', string_agg(enumlabel, ',' ORDER BY enumsortorder))
    FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid WHERE typname LIKE 'river%' GROUP BY typname
    UNION ALL
    SELECT format('function %s %s', proname, prosrc) FROM pg_proc WHERE proname LIKE 'river%'
) AS lines WHERE line !~ 'river_migration'`

// If a new release of River adds migrations, this test fails, and db/migrations needs the same changes.
func TestMigrationsEqualRiversOwn(t *testing.T) {
	t.Parallel()
	url := storetest.NewEmptyURL(t)
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	require.NoError(t, err)
	_, err = migrator.Migrate(context.Background(), rivermigrate.DirectionUp, nil)
	require.NoError(t, err)
	theirs := storetest.QueryText(t, url, riverSchema)
	require.Contains(t, theirs, "column river_job.args jsonb NO")
	require.Equal(t, theirs, storetest.QueryText(t, storetest.NewURL(t), riverSchema))
}
