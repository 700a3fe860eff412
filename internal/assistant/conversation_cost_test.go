package assistant_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// actualRows finds what each node of a plan returned, and how often it ran. PostgreSQL 18 prints rows with decimals.
var actualRows = regexp.MustCompile(`actual rows=(\d+)(?:\.\d+)? loops=(\d+)`)

// requireSmall wants a plan that touches few rows, whatever the tables hold.
func requireSmall(t *testing.T, plan string) {
	t.Helper()
	require.NotContains(t, plan, "Seq Scan")
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

// A customer decides how long a ticket gets. What an answer needs of it is read under the ticket's lock.
func TestLongTicketCostsAnAnswerNoMoreThanAShortOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	storetest.Exec(t, b.url, `INSERT INTO messages (id, ticket_id, author, author_id, content, created_at)
		SELECT gen_random_uuid(), $1, 'customer', $2, 'x', now() + make_interval(secs => n) FROM generate_series(1, 20000) AS n`,
		b.ticket.ID, b.customer.ID)
	storetest.Exec(t, b.url, "ANALYZE messages")
	turn := storetest.QueryText(t, b.url, "SELECT id::text FROM messages ORDER BY created_at DESC LIMIT 1")
	quote := func(id uuid.UUID) string { return "'" + id.String() + "'::uuid" }
	requireSmall(t, storetest.Explain(t, b.url, "ai_responses.sql", "FindTurn", map[string]string{
		"id": quote(b.ticket.ID), "actor_id": quote(b.customer.ID), "staff": "false", "pause_seconds": "5",
	}))
	requireSmall(t, storetest.Explain(t, b.url, "messages.sql", "ListConversation", map[string]string{
		"ticket_id": quote(b.ticket.ID), "turn_message_id": quote(uuid.MustParse(turn)), "max_earlier": "99",
	}))
	requireSmall(t, storetest.Explain(t, b.url, "tickets.sql", "FindTicketWithMessages", map[string]string{
		"all_customers": "true",
		"id":            quote(b.ticket.ID), "actor_id": quote(b.customer.ID), "staff": "false", "max_rows": "100",
	}))
}
