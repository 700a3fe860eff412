package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/store"
)

var (
	queryName  = regexp.MustCompile(`(?m)^-- name: (([A-Z][a-z]+)[A-Za-z]*) :(?:one|many|exec|execrows)$`)
	sqlComment = regexp.MustCompile(`(?m)--.*$`)
	changes    = regexp.MustCompile(`(?i)\b(insert|sla_sweep|index_queued|add_message|claim_idempotency_key|update|delete|for share|set_config|nextval|pg_advisory\w*|journal_(?:sequence|trim))\b`)
	locks      = regexp.MustCompile(`(?i)\b(for (no key )?update|pg_advisory_xact_lock)\b`)
	selects    = regexp.MustCompile(`(?is)^\s*(select|with)\b`)
)

// The first word of a query's name is a promise. Queries that only read, and so may be repeated after a lost
// connection, begin with Count, Find, Get or List, and no others do. Lock locks rows. A query that checks whether the
// actor may see a row begins with Find, unless it locks or changes that row.
func TestNamesOfQueries(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../db/queries/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		names := queryName.FindAllStringSubmatchIndex(string(text), -1)
		require.Len(t, names, strings.Count(string(text), "-- name:"), file)
		for i, at := range names {
			end := len(text)
			if i+1 < len(names) {
				end = names[i+1][0]
			}
			name, verb := string(text[at[2]:at[3]]), string(text[at[4]:at[5]])
			body := sqlComment.ReplaceAllString(string(text[at[1]:end]), "")
			requireKept(t, name, verb, body)
		}
	}
}

func requireKept(t *testing.T, name, verb, body string) {
	t.Helper()
	checksActor := strings.Contains(body, "@actor_id")
	switch verb {
	case "Count", "Find", "Get", "List":
		require.False(t, changes.MatchString(body), "%s must only read", name)
		require.Equal(t, verb == "Find", checksActor, "%s: Find, and nothing else, checks what the actor may see", name)
	case "Lock":
		require.Regexp(t, locks, body, name)
	default:
		require.True(t, changes.MatchString(body) || !selects.MatchString(body), "%s only reads: call it Get, List or Count", name)
	}
}

var (
	clauses  = regexp.MustCompile(`(?i)\b(?:and|or|then|else|when|where|on|set|from|loop|if|elsif|select|returning)\b|\|\||[;,]`)
	noOrder  = regexp.MustCompile(`=>|->>?|<>`)
	compares = regexp.MustCompile(`(?i)[<>]|\bbetween\b`)
)

// comparesClock lists the queries that compare with clock_timestamp(), with the reason.
var comparesClock = map[string]string{
	"RefreshSession": "finds one row by its id, waits for its lock, and compares with the time after that",
}

// clock_timestamp() changes within a statement, so an index cannot search for it: a comparison reads every row that the
// other conditions leave. statement_timestamp() is constant within a statement.
func TestComparisonsUseTheTimeOfTheStatement(t *testing.T) {
	t.Parallel()
	queries, err := filepath.Glob("../../db/queries/*.sql")
	require.NoError(t, err)
	migrations, err := filepath.Glob("../../db/migrations/*.up.sql")
	require.NoError(t, err)
	require.NotEmpty(t, migrations)
	used := map[string]string{}
	for _, file := range append(queries, migrations...) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for statement := range strings.SplitSeq(string(text), "-- name: ") {
			name, _, _ := strings.Cut(statement, " ")
			for _, clause := range clauses.Split(sqlComment.ReplaceAllString(statement, ""), -1) {
				if !strings.Contains(clause, "clock_timestamp()") || !compares.MatchString(noOrder.ReplaceAllString(clause, "")) {
					continue
				}
				require.Contains(t, comparesClock, name, "%s: use statement_timestamp() in %s", file, clause)
				used[name] = comparesClock[name]
			}
		}
	}
	require.Equal(t, comparesClock, used, "an exception that is no longer needed")
}

var addingFunction = regexp.MustCompile(`(?s)CREATE FUNCTION (\w+\()[^$]*\$\$(?:[^$]*)INSERT INTO journal_outbox`)

// An entry that a SQL function adds must also wake the sequencer.
func TestFunctionsThatAddToTheJournalWakeTheSequencer(t *testing.T) {
	t.Parallel()
	migrations, err := filepath.Glob("../../db/migrations/*.up.sql")
	require.NoError(t, err)
	var functions []string
	for _, file := range migrations {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range addingFunction.FindAllStringSubmatch(sqlComment.ReplaceAllString(string(text), ""), -1) {
			functions = append(functions, match[1])
		}
	}
	require.Subset(t, functions, []string{"add_message(", "sla_sweep("})
	files, err := filepath.Glob("../../db/queries/*.sql")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for query := range strings.SplitSeq(string(text), "-- name: ") {
			for _, function := range functions {
				if strings.Contains(query, function) {
					require.True(t, store.AddsToJournal(query), query)
				}
			}
		}
	}
}

var subselect = regexp.MustCompile(`(?is)[\w)]\s+IN\s*\(\s*(SELECT\b.*)`)

// PostgreSQL plans IN (SELECT … LIMIT) as a join, which may read the whole table for a batch, and does for a batch whose size
// is a parameter. An array's elements are looked up in the index.
func TestBatchesAreLookedUpByIndex(t *testing.T) {
	t.Parallel()
	queries, err := filepath.Glob("../../db/queries/*.sql")
	require.NoError(t, err)
	migrations, err := filepath.Glob("../../db/migrations/*.up.sql")
	require.NoError(t, err)
	for _, file := range append(queries, migrations...) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		rest := sqlComment.ReplaceAllString(string(text), "")
		for found := subselect.FindStringSubmatch(rest); found != nil; found = subselect.FindStringSubmatch(rest) {
			rest = found[1]
			require.NotRegexp(t, `\b(LIMIT|OFFSET)\b`, enclosed(rest), "%s: use = ANY (ARRAY(SELECT …))", file)
		}
	}
}

// enclosed returns the text up to the parenthesis that closes the one before the text.
func enclosed(text string) string {
	depth := 0
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
			if depth < 0 {
				return text[:i]
			}
		}
	}
	return text
}
