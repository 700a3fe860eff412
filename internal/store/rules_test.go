package store_test

import (
	"context"
	"regexp"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// A table whose rules are in a function refuses every row that breaks one of them.
func TestTablesRefuseInvalidRows(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	storetest.Exec(t, url, `
INSERT INTO users (id, email, password_hash, role) VALUES (gen_random_uuid(), 'a@example.com', 'hash', 'user');
INSERT INTO tickets (id, user_id, title, description) SELECT gen_random_uuid(), id, 'Title', 'Description' FROM users;
INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
SELECT gen_random_uuid(), id, 'customer', user_id, 'Hello', now() FROM tickets;
INSERT INTO ai_responses (id, ticket_id, model, customer_id, lease_expires_at)
SELECT gen_random_uuid(), id, 'model', user_id, now() FROM tickets;
INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content) SELECT id, 1, 'delta', 1, 'Hi' FROM ai_responses`)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for table, changes := range map[string][]string{
		"tickets": {
			"title = ''", "title = repeat('a', 201)", "description = ''", "description = repeat('a', 10001)",
			"handoff_note = ''", "handoff_note = repeat('a', 2001)", "external_id = ''", "external_id = 'a b'",
			"tags = array_fill('a'::text, ARRAY[21])", "tags = ARRAY[repeat('a', 1001)]",
			"custom_fields = '[]'", "custom_fields = jsonb_build_object('a', repeat('a', 65536))", "redacted_at = now()",
			"ai_mode_before = 'auto'", "ai_mode = 'off', ai_mode_before = 'off'", "handoff_reason = 'other', handed_off_at = now()",
			"ai_mode = 'off', handed_off_at = now()", "resolved_at = now()", "status = 'resolved'",
			"status = 'closed', resolved_at = now(), snoozed_until = now()", "snoozed_until = '10000-01-01'",
			"merged_into = id", "status = 'closed', resolved_at = now(), merged_into = id",
		},
		"messages": {
			"content = ''", "content = repeat('a', 10001)", "author = 'ai', author_id = NULL, content = repeat('a', 65537)",
			"client_id = ''", "client_id = 'a b'", "author_id = NULL", "author = 'ai'", "is_note = true", "superseded_by = id",
			"redacted_at = now()",
		},
		"ai_responses": {
			"attempt = 0", "attempt = 1001", "crashes = -1", "crashes = 1001", "model = ''", "model = repeat('a', 129)",
			"error_code = ''", "error_code = repeat('a', 65)", "customer_id = NULL, content = ''",
			"customer_id = NULL, content = repeat('a', 65537)", "edit_distance = -1", "prompt_version = 0",
			"finished_at = now()", "status = 'failed'", "status = 'completed', finished_at = now()",
			"status = 'failed', finished_at = now(), finish_reason = 'stop'", "customer_id = NULL, finish_reason = 'stop'",
			"status = 'completed', finished_at = now(), finish_reason = 'tool_calls', customer_id = NULL",
			"message_id = (SELECT id FROM messages)", "status = 'completed', finished_at = now(), finish_reason = 'stop'",
			"kind = 'summarize'", "review = 'pending'", "content = 'Text'", "customer_id = NULL, kind = 'triage', review = 'pending'",
			"customer_id = NULL, reviewed_at = now()", "customer_id = NULL, review = 'discarded'", "edit_distance = 1",
			"customer_id = NULL, review = 'published', reviewed_at = now()",
			"status = 'completed', finished_at = now(), finish_reason = 'stop', message_id = (SELECT id FROM messages), " +
				"customer_id = NULL, review = 'pending'",
		},
		"ai_response_events": {
			"seq = 0", "content = repeat('a', 65537)", "content = ''", "kind = 'done'", "retry_after_seconds = 0",
		},
	} {
		for _, change := range changes {
			_, err := conn.Exec(t.Context(), "UPDATE "+table+" SET "+change)
			var pg *pgconn.PgError
			require.ErrorAs(t, err, &pg, "%s: %s", table, change)
			require.Equal(t, table+"_check", pg.ConstraintName, "%s: %s", table, change)
		}
	}
	_, err = conn.Exec(t.Context(), "UPDATE tickets SET version = 0")
	require.ErrorContains(t, err, "tickets_version_check")
}

// A trigger that checks rules does so whenever a statement sets a column that a rule names.
func TestTriggersCheckRulesWhenTheirColumnsAreSet(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), storetest.NewURL(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	rows, err := conn.Query(t.Context(), `
SELECT t.tgname, p.prosrc, ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr))
FROM pg_trigger AS t
JOIN pg_proc AS p ON p.oid = t.tgfoid
WHERE t.tgconstraint <> 0 AND NOT t.tgisinternal
ORDER BY t.tgname`)
	require.NoError(t, err)
	column := regexp.MustCompile(`NEW\.(\w+)`)
	var names []string
	for rows.Next() {
		var name, source string
		var columns []string
		require.NoError(t, rows.Scan(&name, &source, &columns))
		var named []string
		for _, found := range column.FindAllStringSubmatch(source, -1) {
			named = append(named, found[1])
		}
		slices.Sort(named)
		require.ElementsMatch(t, slices.Compact(named), columns, name)
		names = append(names, name)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{"ai_responses_check", "tickets_check"}, names)
}
