package storetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// use borrows a database for one subtest.
func use(t *testing.T, do func(t *testing.T, databaseURL string)) {
	t.Helper()
	t.Run("a test", func(t *testing.T) {
		databaseURL, _ := storetest.Lend(t)
		do(t, databaseURL)
	})
}

func TestReturnedDatabaseIsLikeNew(t *testing.T) { //nolint:paralleltest // No other test may borrow the database.
	var first, digest string
	use(t, func(t *testing.T, databaseURL string) {
		t.Helper()
		first, digest = databaseURL, storetest.Digest(t, databaseURL)
		storetest.Exec(t, databaseURL, `INSERT INTO users (id, email, password_hash, role) VALUES (gen_random_uuid(), 'ada@example.com', '!', 'user')`)
		storetest.Exec(t, databaseURL, `DELETE FROM sla`)
		storetest.Exec(t, databaseURL, `UPDATE journal_head SET position = 7`)
		storetest.Exec(t, databaseURL, `INSERT INTO search_queue (id) VALUES (gen_random_uuid())`)
		require.NotEqual(t, digest, storetest.Digest(t, databaseURL))
	})
	use(t, func(t *testing.T, databaseURL string) {
		t.Helper()
		require.Equal(t, first, databaseURL)
		require.Equal(t, digest, storetest.Digest(t, databaseURL))
		require.Equal(t, 1, storetest.QueryInt(t, databaseURL, `SELECT nextval(pg_get_serial_sequence('search_queue', 'number'))`))
	})
}

func TestFurtherStoresAreLentWithTheirDatabase(t *testing.T) { //nolint:paralleltest // No other test may borrow the database.
	var first, closed *store.Store
	use(t, func(t *testing.T, databaseURL string) {
		t.Helper()
		first, closed = storetest.Open(t, databaseURL), storetest.Open(t, databaseURL)
		require.NotSame(t, first, closed)
		closed.Close()
	})
	use(t, func(t *testing.T, databaseURL string) {
		t.Helper()
		require.Same(t, first, storetest.Open(t, databaseURL))
		require.NotSame(t, closed, storetest.Open(t, databaseURL))
	})
	use(t, func(t *testing.T, databaseURL string) {
		t.Helper()
		storetest.Exec(t, databaseURL, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NotSame(t, first, storetest.Open(t, databaseURL), "its sessions were ended")
	})
}

func TestChangedDatabaseIsNotLentAgain(t *testing.T) { //nolint:paralleltest // No other test may borrow the database.
	for name, sql := range map[string]string{
		"its schema was changed":  `ALTER TABLE tickets DISABLE TRIGGER USER`,
		"its sessions were ended": `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE false`,
		"the test left very much": `INSERT INTO search_queue (id) SELECT gen_random_uuid() FROM generate_series(1, 3000)`,
	} {
		var altered string
		use(t, func(t *testing.T, databaseURL string) {
			t.Helper()
			altered = databaseURL
			storetest.Exec(t, databaseURL, sql)
		})
		use(t, func(t *testing.T, databaseURL string) {
			t.Helper()
			require.NotEqual(t, altered, databaseURL, name)
		})
	}
	var closed string
	t.Run("a test that closes its Store", func(t *testing.T) {
		databaseURL, s := storetest.Lend(t)
		closed = databaseURL
		s.Close()
	})
	use(t, func(t *testing.T, databaseURL string) {
		t.Helper()
		require.NotEqual(t, closed, databaseURL)
	})
}
