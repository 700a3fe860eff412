package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

var (
	// generated matches a statement of the generated queries, with its name.
	generated = regexp.MustCompile("(?s)= `-- name: (\\w+) :\\w+\n(.*?)\n`\n")
	// wholeTable matches a scan of all of a table that grows with the number of customers.
	wholeTable = regexp.MustCompile(`Seq Scan on (?:users|sessions|service_customers|tickets|messages|ai_responses|ai_response_events|` +
		`idempotency_keys|daily_usage|journal_\d+|journal_outbox)\b`)
)

// readsWhole lists the queries that may read all of a table, with the reason.
var readsWhole = map[string]string{
	"CreateDemoDesk":   "stops at the first ticket",
	"EraseJournalData": "the outbox is short",
	"EraseTickets":     "the outbox is short",
}

// searchedBy lists the indexes of queries that would otherwise read another index of all accounts.
var searchedBy = map[string]string{"ListStaff": "users_staff_idx", "LockEnabledAdmins": "users_staff_idx"}

// A query's cost does not grow with the number of customers. The plans are those for any parameters: PostgreSQL may keep
// one of them, whatever the next parameters are.
func TestQueriesReadNoLargeTableWhole(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	fillTables(t, url)
	files, err := filepath.Glob("../../gen/sqlc/*.sql.gen.go")
	require.NoError(t, err)
	count, used := 0, map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range generated.FindAllStringSubmatch(string(text), -1) {
			count++
			name, plan := match[1], storetest.ExplainPrepared(t, url, match[2])
			require.Contains(t, plan, searchedBy[name])
			if !wholeTable.MatchString(plan) {
				continue
			}
			require.Contains(t, readsWhole, name, plan)
			used[name] = readsWhole[name]
		}
	}
	require.Greater(t, count, 200)
	require.Equal(t, readsWhole, used, "an exception that is no longer needed")
}

// fillTables fills the large tables of a desk on which most tickets are resolved and few accounts are staff.
func fillTables(t *testing.T, url string) {
	t.Helper()
	storetest.Exec(t, url, `DO $$ BEGIN
		SET LOCAL session_replication_role = replica;
		INSERT INTO users (id, email, password_hash, role, created_at)
			SELECT gen_random_uuid(), n || '@example.com', '!', (CASE WHEN n <= 50 THEN 'agent' ELSE 'user' END)::user_role,
				now() - make_interval(mins => 20000 - n)
			FROM generate_series(1, 20000) AS n;
		INSERT INTO sessions (id, user_id, user_agent, client_network, expires_at, token_hash)
			SELECT gen_random_uuid(), u.id, '', '', now() + interval '1 day', sha256(u.email::bytea) FROM users AS u;
		INSERT INTO service_customers (service_id, external_id, user_id) SELECT gen_random_uuid(), 'x', u.id FROM users AS u;
		INSERT INTO tickets (id, user_id, title, description, created_at, status, resolved_at)
			SELECT gen_random_uuid(), u.id, 'x', 'x', u.created_at, (CASE row_number() OVER () % 50 WHEN 0 THEN 'open' ELSE 'resolved' END)::ticket_status, now()
			FROM users AS u;
		INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
			SELECT gen_random_uuid(), t.id, 'customer', t.user_id, 'x', t.created_at FROM tickets AS t;
		INSERT INTO ai_responses (id, ticket_id, customer_id, turn_message_id, status, error_code, model, lease_expires_at, created_at, finished_at)
			SELECT gen_random_uuid(), m.ticket_id, m.author_id, m.id, 'failed', 'ai_timeout', 'a-model', m.created_at, m.created_at, m.created_at
			FROM messages AS m;
		INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
			SELECT r.id, 1, 'failed', 1, 'ai_timeout' FROM ai_responses AS r;
		INSERT INTO idempotency_keys (id, fingerprint, status, headers, body, user_id)
			SELECT sha256(u.email::bytea), '', 201, '{}', '', u.id FROM users AS u;
		INSERT INTO daily_usage (user_id, day, tickets, messages, bytes) SELECT u.id, current_date, 1, 1, 1 FROM users AS u;
		INSERT INTO journal_outbox (type, actor_kind, actor_id, ticket_id, customer_id)
			SELECT 'ticket.created', 'customer', t.user_id, t.id, t.user_id FROM tickets AS t;
		END $$`)
	storetest.Exec(t, url, "SELECT journal_sequence(20000, false)")
	storetest.Exec(t, url, "ANALYZE")
}
