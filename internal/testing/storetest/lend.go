package storetest

import (
	"context"
	"regexp"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/supportbackend/support/internal/store"
)

const (
	// maxLoans is the most tests that use a database one after another, because nothing vacuums the rows that they
	// delete.
	maxLoans = 50
	// maxLeft is the maximum number of rows that a test may leave in a database that is lent again.
	maxLeft = 2000
)

// loan is a database that tests use one after another, with connections that have cached the schema and the statements.
// Creating both costs more than most tests.
type loan struct {
	*store.Store

	url    string
	count  int
	forget func()

	// others are further Stores on the database, which no test uses at the moment.
	others stack[*store.Store]
}

// lent are the databases of this process that tests use one after another.
var lent loans

type loans struct {
	free stack[*loan]
	// used are the loans of running tests, by URL.
	used sync.Map

	once sync.Once
	// clear are the statements that reset a database to its new state, and tables is the number of its tables.
	clear  string
	tables int
	// altered are the URLs of databases whose schema a test may have changed.
	altered sync.Map
}

// definition matches statements that may change more than rows, or end other sessions.
var definition = regexp.MustCompile(`(?i)\b(alter|analyze|create|do|drop|grant|pg_terminate_backend|reindex|truncate|vacuum)\b`)

// Lend returns the URL of a migrated database for this test alone, and a Store on it. Earlier tests may have used it,
// but it is as empty as a new one. The test may change the schema and close the Store.
func Lend(t testing.TB) (databaseURL string, s *store.Store) {
	t.Helper()
	l := borrow(t)
	lent.used.Store(l.url, l)
	t.Cleanup(func() {
		lent.used.Delete(l.url)
		l.count++
		_, altered := lent.altered.LoadAndDelete(l.url)
		if altered || t.Failed() || l.count == maxLoans || !isIdle(l.Store) || !l.empty() {
			l.close()
			l.forget()
			drop(t, shared.admin, l.url)
			return
		}
		lent.free.push(l)
	})
	return l.url, l.Store
}

// borrow returns the database that was returned last, or a new one.
func borrow(t testing.TB) *loan {
	t.Helper()
	if l, found := lent.free.pop(); found {
		return l
	}
	admin, template := prepare(t)
	l := &loan{url: create(t, admin, "TEMPLATE "+template)}
	l.forget = keepPool(t, l.url)
	lent.once.Do(func() {
		lent.clear, lent.tables = QueryText(t, l.url, clearing), QueryInt(t, l.url, countTables)
	})
	l.Store = open(t, l.url)
	return l
}

// open returns a further Store on the database. When the test ends, the next test gets it.
func (l *loan) open(t testing.TB) *store.Store {
	t.Helper()
	s, found := l.others.pop()
	if !found {
		s = open(t, l.url)
	}
	t.Cleanup(func() {
		if t.Failed() || !isIdle(s) {
			s.Close()
			return
		}
		l.others.push(s)
	})
	return s
}

func (l *loan) close() {
	l.Close()
	for s, found := l.others.pop(); found; s, found = l.others.pop() {
		s.Close()
	}
}

// isIdle reports whether a Store can be used, which a test may have closed, and nothing uses it.
func isIdle(s *store.Store) bool {
	if s.PoolStats().Acquired > 0 {
		return false
	}
	_, err := s.GetSchemaMigration(context.Background())
	return err == nil
}

// stack holds what tests have given back. The next one gets what was given back last.
type stack[T any] struct {
	mu    sync.Mutex
	items []T
}

func (s *stack[T]) push(item T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = append(s.items, item)
}

func (s *stack[T]) pop() (item T, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.items) - 1
	if last < 0 {
		return item, false
	}
	item = s.items[last]
	s.items = s.items[:last]
	return item, true
}

// empty resets the database to its new state. It reports false if that fails, or if the test has left too many rows.
func (l *loan) empty() bool {
	ctx := context.Background()
	kept, _ := pools.Load(l.url)
	pool := kept.(*pgxpool.Pool) //nolint:errcheck,forcetypeassert // The map has no other values.
	var tables int
	err := pool.QueryRow(ctx, countTables, pgx.QueryExecModeCacheStatement).Scan(&tables)
	if err != nil || tables != lent.tables {
		return false
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return false
	}
	defer conn.Release()
	results, err := conn.Conn().PgConn().Exec(ctx, lent.clear).ReadAll()
	rows := int64(0)
	for _, r := range results {
		rows += r.CommandTag.RowsAffected()
	}
	return err == nil && rows <= maxLeft
}

const countTables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"

// clearing selects the statements that delete all rows, insert those of a new database, and restart identities. They
// keep cached plans valid.
const clearing = `
	SELECT 'BEGIN; SET LOCAL session_replication_role = replica; ' || string_agg(statement, '; ') || '; COMMIT'
	FROM (
		SELECT CASE relkind
			WHEN 'S' THEN format('SELECT setval(%L, 1, false)', oid::regclass)
			ELSE format('DELETE FROM %s', oid::regclass) || coalesce(format(
				'; INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_recordset(NULL::%1$s, %L)', oid::regclass,
				(xpath('/table/row/rows/text()', query_to_xml(format(
					'SELECT jsonb_agg(to_jsonb(t)) AS rows FROM %s AS t', oid::regclass), false, false, '')))[1]), '')
			END AS statement
		FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S') AND NOT relispartition
	) AS statements`
