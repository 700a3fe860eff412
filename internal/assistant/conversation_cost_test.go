package assistant_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

var (
	// actualRows matches the rows and loops of each node of a plan. PostgreSQL 18 prints rows with decimals.
	actualRows = regexp.MustCompile(`actual rows=(\d+)(?:\.\d+)? loops=(\d+)`)
	// manyRemoved matches a node that discarded many rows.
	manyRemoved = regexp.MustCompile(`Rows Removed by [A-Za-z ]+: \d{4,}`)
)

// requireSmall checks that a plan touches few rows, however large the tables are.
func requireSmall(t *testing.T, plan string) {
	t.Helper()
	require.NotContains(t, plan, "Seq Scan")
	require.NotRegexp(t, manyRemoved, plan)
	nodes := actualRows.FindAllStringSubmatch(plan, -1)
	require.NotEmpty(t, nodes, plan)
	for _, node := range nodes {
		rows, err := strconv.Atoi(node[1])
		require.NoError(t, err)
		loops, err := strconv.Atoi(node[2])
		require.NoError(t, err)
		require.LessOrEqual(t, rows*loops, 200, plan)
	}
}

// Customers decide how long a ticket gets, and an answer reads the ticket under its lock.
func TestLongTicketCostsAnAnswerNoMoreThanAShortOne(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	storetest.Exec(t, b.url, `INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
		SELECT gen_random_uuid(), $1, 'customer', $2, 'x', now() + make_interval(secs => n) FROM generate_series(1, 20000) AS n`,
		b.ticket.ID, b.customer.ID)
	storetest.Exec(t, b.url, "ANALYZE messages")
	turn := storetest.QueryText(t, b.url, "SELECT id::text FROM messages ORDER BY created_at DESC LIMIT 1")
	quote := func(id uuid.UUID) string { return "'" + id.String() + "'::uuid" }
	requireSmall(t, storetest.Explain(t, b.url, "ai_responses.sql", "ClaimTurn", map[string]string{
		"ticket_id": quote(b.ticket.ID), "actor_id": quote(b.customer.ID), "staff": "false", "regenerate": "false", "reading": "true",
		"after_message": "false", "pause_seconds": "5", "id": "gen_random_uuid()", "model": "'m'", "owner_id": "gen_random_uuid()",
		"lease_seconds": "15", "may_write": "true", "max_running": "1", "max_per_minute": "10", "max_per_day": "100",
	}))
	requireSmall(t, storetest.Explain(t, b.url, "messages.sql", "ListConversation", map[string]string{
		"ticket_id": quote(b.ticket.ID), "turn_message_id": quote(uuid.MustParse(turn)), "max_earlier": "99",
	}))
	requireSmall(t, storetest.Explain(t, b.url, "tickets.sql", "FindTicketWithMessages", map[string]string{
		"all_customers": "true",
		"id":            quote(b.ticket.ID), "actor_id": quote(b.customer.ID), "staff": "false", "max_rows": "100",
	}))
}

// Ended responses must not slow new ones down, even if all belong to one account.
func TestEndedResponsesCostNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	storetest.Exec(t, b.url, `
		INSERT INTO ai_responses (
			id, ticket_id, turn_message_id, status, model, error_code, requested_by, owner_id, has_events, lease_expires_at, created_at, finished_at
		)
		SELECT gen_random_uuid(), $1, NULL, 'failed', 'm', 'ai_timeout', $2, gen_random_uuid(), n <= 20, ended.at, ended.at, ended.at
		FROM generate_series(1, 20000) AS n
		CROSS JOIN LATERAL (SELECT now() - interval '1 day' - n * interval '1 hour' AS at) AS ended`, b.ticket.ID, b.customer.ID)
	storetest.Exec(t, b.url, "ANALYZE ai_responses")
	parameters := map[string]string{
		"id": "gen_random_uuid()", "ticket_id": "'" + b.ticket.ID.String() + "'::uuid", "model": "'m'",
		"requested_by": "'" + b.customer.ID.String() + "'::uuid", "user_id": "'" + b.customer.ID.String() + "'",
		"owner_id": "'018f0000-0000-7000-8000-000000000000'", "kind": "'answer'", "prompt_version": "NULL", "ticket_version": "1",
		"max_running": "1", "max_per_minute": "10", "max_per_day": "100", "lease_seconds": "15",
		"known": "'{}'", "unknown_lease_seconds": "12", "max_attempts": "3", "abandoned_seconds": "300", "error_code": "'ai_timeout'",
		"retention_seconds": "86400", "after_finished_at": "'-infinity'", "after_id": "'00000000-0000-0000-0000-000000000000'", "max_rows": "50",
	}
	for _, query := range []string{
		"CountStalledAIResponses", "TakeOverAIResponse", "FailAbandonedAIResponses", "ListSweepableAIResponses",
		"CountRecentAIResponses", "CreateAIResponse",
	} {
		requireSmall(t, storetest.Explain(t, b.url, "ai_responses.sql", query, parameters))
	}
}

// A statement for all responses of a replica looks each of them up once, however many are running.
func TestManyRunningResponsesAreLookedUpOnceEach(t *testing.T) {
	t.Parallel()
	const running = 1000
	b := newFixture(t)
	owner := "'018f0000-0000-7000-8000-000000000000'::uuid"
	storetest.Exec(t, b.url, `INSERT INTO tickets (id, user_id, title, description)
		SELECT gen_random_uuid(), $1, 'A title', 'A text' FROM generate_series(1, $2)`, b.customer.ID, running-1)
	storetest.Exec(t, b.url, `INSERT INTO ai_responses (id, ticket_id, model, requested_by, owner_id, lease_expires_at)
		SELECT gen_random_uuid(), t.id, 'm', t.user_id, `+owner+`, now() FROM tickets AS t`)
	all := func(column string) string { return "(SELECT array_agg(" + column + ") FROM ai_responses)" }
	parameters := map[string]string{
		"ids": all("id"), "attempts": all("attempt"), "seqs": all("1"), "contents": all("'x'::text"), "owner_id": owner, "lease_seconds": "15",
	}
	for _, query := range []string{"RenewAIResponseLeases", "ListOwnedAIResponses", "CommitDeltas"} {
		plan := storetest.Explain(t, b.url, "ai_responses.sql", query, parameters)
		require.NotRegexp(t, manyRemoved, plan)
		found := 0
		for _, node := range actualRows.FindAllStringSubmatch(plan, -1) {
			rows, err := strconv.Atoi(node[1])
			require.NoError(t, err)
			loops, err := strconv.Atoi(node[2])
			require.NoError(t, err)
			require.LessOrEqual(t, rows*loops, 3*running, plan) // Indexes also find dead row versions.
			found = max(found, rows)
		}
		require.GreaterOrEqual(t, found, running, plan)
	}
}
