package storetest

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/db"
)

var parameter = regexp.MustCompile(`@(\w+)|sqlc\.narg\('?(\w+)'?\)`)

// embedded matches a whole row in a query's SELECT list.
var embedded = regexp.MustCompile(`sqlc\.embed\((\w+)\)`)

// Explain runs one of the project's queries with these parameters and returns its plan.
func Explain(t testing.TB, databaseURL, file, query string, parameters map[string]string) string {
	t.Helper()
	return explain(t, databaseURL, file, query, parameters, "SELECT")
}

// ExplainAll is Explain with the plans of statements in the functions that the query calls.
func ExplainAll(t testing.TB, databaseURL, file, query string, parameters map[string]string) string {
	t.Helper()
	return explain(t, databaseURL, file, query, parameters, `LOAD 'auto_explain'; SET client_min_messages = log;
		SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
		SET auto_explain.log_analyze = on; SET auto_explain.log_timing = off`)
}

func explain(t testing.TB, databaseURL, file, query string, parameters map[string]string, prepare string) string {
	t.Helper()
	text, err := readQuery(file, query)
	require.NoError(t, err)
	text = parameter.ReplaceAllStringFunc(text, func(name string) string {
		match := parameter.FindStringSubmatch(name)
		value, known := parameters[match[1]+match[2]]
		require.True(t, known, "%s has the parameter %s", query, name)
		return value
	})
	text = embedded.ReplaceAllString(text, "$1.*")
	var plan strings.Builder
	config, err := pgx.ParseConfig(databaseURL)
	require.NoError(t, err)
	config.OnNotice = func(_ *pgconn.PgConn, notice *pgconn.Notice) { plan.WriteString(notice.Message + "\n") }
	conn, err := pgx.ConnectConfig(context.Background(), config)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(context.Background(), prepare)
	require.NoError(t, err)
	plan.Reset()
	rows, err := conn.Query(context.Background(), "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) "+text)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		plan.WriteString(line + "\n")
	}
	require.NoError(t, rows.Err())
	return plan.String()
}

// ExplainPrepared returns the plan of a generated query for any parameters, which PostgreSQL may choose after some
// executions. The query is not executed.
func ExplainPrepared(t testing.TB, databaseURL, query string) string {
	t.Helper()
	ctx, name := context.Background(), "explained"
	pool, done := poolOf(t, databaseURL)
	defer done()
	conn, err := pool.Acquire(ctx)
	require.NoError(t, err)
	defer conn.Release()
	prepared, err := conn.Conn().Prepare(ctx, name, query)
	require.NoError(t, err, query)
	_, err = conn.Exec(ctx, "SET plan_cache_mode = force_generic_plan")
	require.NoError(t, err)
	parameters := ""
	if n := len(prepared.ParamOIDs); n > 0 {
		parameters = "(NULL" + strings.Repeat(", NULL", n-1) + ")"
	}
	rows, err := conn.Query(ctx, "EXPLAIN EXECUTE "+name+parameters)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	_, err = conn.Exec(ctx, "RESET plan_cache_mode")
	require.NoError(t, err)
	require.NoError(t, conn.Conn().Deallocate(ctx, name))
	return strings.Join(lines, "\n")
}

// readQuery returns the text of a query in a file of db/queries.
func readQuery(file, name string) (string, error) {
	text, err := db.Queries.ReadFile("queries/" + file)
	if err != nil {
		return "", err
	}
	_, rest, found := strings.Cut(string(text), "-- name: "+name+" :")
	if !found {
		return "", fmt.Errorf("%s has no query %s", file, name)
	}
	_, rest, _ = strings.Cut(rest, "\n")
	query, _, _ := strings.Cut(rest, "\n-- name: ")
	return query, nil
}
