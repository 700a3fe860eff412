// Package storetest gives every test its own database on a real PostgreSQL.
//
// The server is the one that TEST_DATABASE_URL names, or else an embedded one that the test binary starts when its first
// test asks and that Main stops. A template database is migrated once, and its files are kept for other test binaries. New
// clones it, which takes about 20 ms; Lend lends a clone to one test after another. On Linux the embedded server keeps its files
// in memory. Set TEST_KEEP_DATABASES to keep the databases of failed tests; their names are logged.
package storetest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/store"
)

// maxConnectTries is how often Open tries to connect.
const maxConnectTries = 10

// Main runs the package's tests and stops the embedded server, if there is one. Call it from TestMain. The checks follow
// a whole run whose tests have passed, and may fail it.
func Main(m *testing.M, checks ...func() error) {
	flag.Parse()
	if !isSet("test.parallel") {
		_ = flag.Set("test.parallel", strconv.Itoa(parallelPerCPU*runtime.GOMAXPROCS(0)))
	}
	code := m.Run()
	for _, check := range checks {
		if code != 0 || selected() {
			break
		}
		if err := check(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// selected reports whether flags have selected only a part of the tests.
func selected() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if flag.Lookup(name).Value.String() != "" {
			return true
		}
	}
	return false
}

func isSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// New returns a Store on the test's own migrated database.
func New(t testing.TB) *store.Store {
	t.Helper()
	return Open(t, NewURL(t))
}

// Open returns a Store on the database for this test alone. An earlier test may have used it, unless this one has changed
// more than rows.
func Open(t testing.TB, databaseURL string) *store.Store {
	t.Helper()
	_, altered := lent.altered.Load(databaseURL)
	if l, ok := lent.used.Load(databaseURL); ok && !altered {
		return l.(*loan).open(t) //nolint:errcheck,forcetypeassert // The map has no other values.
	}
	s := open(t, databaseURL)
	t.Cleanup(s.Close)
	return s
}

func open(t testing.TB, databaseURL string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Config{URL: databaseURL, MaxConns: 8, Lazy: true})
	require.NoError(t, err)
	// On a busy machine, the first connection may take longer than a request waits for one.
	for range maxConnectTries {
		if _, err := s.GetSchemaMigration(context.Background()); err == nil || errors.Is(err, store.ErrNoRows) {
			break
		}
	}
	return s
}

// NewURL returns the URL of the test's own migrated database, which is dropped when the test ends.
func NewURL(t testing.TB) string {
	t.Helper()
	admin, template := prepare(t)
	return createForTest(t, admin, "TEMPLATE "+template)
}

// NewEmptyURL returns the URL of the test's own database without a schema.
func NewEmptyURL(t testing.TB) string {
	t.Helper()
	admin, _ := prepare(t)
	return createForTest(t, admin, "TEMPLATE template0")
}

// NewEncodedURL is NewEmptyURL for a database of another encoding than UTF8.
func NewEncodedURL(t testing.TB, encoding string) string {
	t.Helper()
	admin, _ := prepare(t)
	return createForTest(t, admin, "TEMPLATE template0 LOCALE 'C' ENCODING '"+encoding+"'")
}

// Exec runs a statement for which the product has no query.
func Exec(t testing.TB, databaseURL, sql string, args ...any) {
	t.Helper()
	pool, done := poolOf(t, databaseURL)
	defer done()
	if definition.MatchString(sql) {
		lent.altered.Store(databaseURL, nil)
	}
	_, err := pool.Exec(context.Background(), sql, args...)
	require.NoError(t, err)
}

// Lock locks all rows of a table until the test ends, like a transaction that never ends.
func Lock(t testing.TB, databaseURL, table string) {
	t.Helper()
	conn, hangUp := connect(t, databaseURL)
	t.Cleanup(hangUp)
	_, err := conn.Exec(context.Background(), "BEGIN; SELECT FROM "+table+" FOR UPDATE")
	require.NoError(t, err)
}

// LockTable locks a whole table, until release is called or the test ends.
func LockTable(t testing.TB, databaseURL, table string) (release func()) {
	t.Helper()
	return Hold(t, databaseURL, "LOCK TABLE "+table)
}

// Hold runs statements in a transaction, which is rolled back when release is called or the test ends.
func Hold(t testing.TB, databaseURL, sql string) (release func()) {
	t.Helper()
	conn, hangUp := connect(t, databaseURL)
	release = sync.OnceFunc(hangUp)
	t.Cleanup(release)
	_, err := conn.Exec(context.Background(), "BEGIN; "+sql)
	require.NoError(t, err)
	return release
}

// CountWaiting returns how many sessions of the database wait for a lock.
func CountWaiting(t testing.TB, databaseURL string) int {
	t.Helper()
	return QueryInt(t, databaseURL, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
}

// maxLockWait is how long AwaitWaiting waits, on a busy machine.
const maxLockWait = time.Minute

// AwaitWaiting waits until this many sessions of the database, or more, wait for a lock.
func AwaitWaiting(t testing.TB, databaseURL string, sessions int) {
	t.Helper()
	require.Eventually(t, func() bool { return CountWaiting(t, databaseURL) >= sessions }, maxLockWait, 5*time.Millisecond)
}

// QueryInt runs a query for one number.
func QueryInt(t testing.TB, databaseURL, sql string, args ...any) int {
	t.Helper()
	pool, done := poolOf(t, databaseURL)
	defer done()
	var n int
	require.NoError(t, pool.QueryRow(context.Background(), sql, prepared(args)...).Scan(&n))
	return n
}

// QueryText runs a query for one text.
func QueryText(t testing.TB, databaseURL, sql string, args ...any) string {
	t.Helper()
	pool, done := poolOf(t, databaseURL)
	defer done()
	var s string
	require.NoError(t, pool.QueryRow(context.Background(), sql, prepared(args)...).Scan(&s))
	return s
}

// Digest returns a digest of every row of every table of a migrated database.
func Digest(t testing.TB, databaseURL string) string {
	t.Helper()
	digest.once.Do(func() {
		digest.sql = QueryText(t, databaseURL, `SELECT string_agg(format(
			$$SELECT %L || count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS line FROM %I AS t$$, tablename || ' ', tablename),
			' UNION ALL ') FROM pg_tables WHERE schemaname = 'public'`)
	})
	return QueryText(t, databaseURL, `SELECT string_agg(line, E'\n' ORDER BY line) FROM (`+digest.sql+") AS lines")
}

// digest is the statement of Digest. All databases of a process have the same tables.
var digest struct {
	once sync.Once
	sql  string
}

// prepared makes a connection cache the plan of a query, because tests repeat the same ones. Their result type does not
// depend on the schema.
func prepared(args []any) []any { return append([]any{pgx.QueryExecModeCacheStatement}, args...) }

// createForTest returns the URL of a new database, which is dropped when the test ends.
func createForTest(t testing.TB, admin, options string) string {
	t.Helper()
	databaseURL := create(t, admin, options)
	forget := keepPool(t, databaseURL)
	t.Cleanup(func() {
		forget()
		drop(t, admin, databaseURL)
	})
	return databaseURL
}

// create returns the URL of a new database.
func create(t testing.TB, admin, options string) string {
	t.Helper()
	name := "support_test_" + randomName()
	Exec(t, admin, "CREATE DATABASE "+name+" STRATEGY file_copy "+options)
	return withDatabase(t, admin, name)
}

// drop drops a test's database, unless it is kept because the test has failed.
func drop(t testing.TB, admin, databaseURL string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	if t.Failed() && os.Getenv("TEST_KEEP_DATABASES") != "" {
		t.Log("kept database", name)
		return
	}
	Exec(t, admin, "DROP DATABASE "+name+" WITH (FORCE)")
}

func connect(t testing.TB, databaseURL string) (conn *pgx.Conn, hangUp func()) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), databaseURL)
	require.NoError(t, err)
	return conn, func() { _ = conn.Close(context.Background()) }
}

// withDatabase returns the URL of another database on the server. It has a parameter, so that tests can append others.
func withDatabase(t testing.TB, databaseURL, name string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	u.Path = "/" + name
	u.RawQuery = cmp.Or(u.RawQuery, "sslmode=prefer") // The default.
	return u.String()
}

func randomName() string {
	raw := make([]byte, 8)
	_, _ = rand.Read(raw) // Read never fails.
	return hex.EncodeToString(raw)
}

// pools are the connections to the databases of running tests, by URL. Most of the cost of a query is its connection.
var pools sync.Map

// Keep caches connections to a database from elsewhere for Exec and the queries, until the test ends.
func Keep(t testing.TB, databaseURL string) {
	t.Helper()
	t.Cleanup(keepPool(t, databaseURL))
}

// keepPool caches connections to a database for Exec and the queries, until forget is called.
func keepPool(t testing.TB, databaseURL string) (forget func()) {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(databaseURL)
	require.NoError(t, err)
	cfg.MaxConns = 8
	// Tests change schemas and end sessions.
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true }
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(t, err)
	pools.Store(databaseURL, pool)
	return func() {
		pools.Delete(databaseURL)
		pool.Close()
	}
}

// poolOf returns the cached connections to a database, or a temporary one.
func poolOf(t testing.TB, databaseURL string) (pool *pgxpool.Pool, done func()) {
	t.Helper()
	if kept, ok := pools.Load(databaseURL); ok {
		return kept.(*pgxpool.Pool), func() {} //nolint:errcheck,forcetypeassert // The map has no other values.
	}
	pool, err := pgxpool.New(context.Background(), databaseURL)
	require.NoError(t, err)
	return pool, pool.Close
}
