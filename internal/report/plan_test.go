package report_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// A report of one day reads only that day, through indexes.
func TestReportsReadTheirPeriodOnly(t *testing.T) {
	t.Parallel()
	url := storetest.NewURL(t)
	customer := uuid.New()
	storetest.Exec(t, url, "INSERT INTO users (id, email, password_hash, role) VALUES ($1, 'c@example.com', '!', 'user')", customer)
	storetest.Exec(t, url, "ALTER TABLE tickets DISABLE TRIGGER USER")
	// One row of each kind every ten minutes, for months.
	storetest.Exec(t, url, `INSERT INTO tickets (id, user_id, title, description, created_at, status, first_response_at, waiting_since, resolved_at)
		SELECT gen_random_uuid(), $1, 'A title', repeat('x', 500), now() - n * interval '10 minutes',
			CASE WHEN n % 50 = 0 THEN 'open' ELSE 'closed' END::ticket_status, now() - n * interval '10 minutes', NULL,
			CASE WHEN n % 50 <> 0 THEN now() - n * interval '10 minutes' END
		FROM generate_series(10000, 1, -1) AS n`, customer)
	storetest.Exec(t, url, `INSERT INTO ai_responses (id, ticket_id, model, lease_expires_at, status, content, finish_reason, finished_at, created_at)
		SELECT gen_random_uuid(), t.id, 'a-model', now(), 'completed', repeat('x', 500), 'stop', now(), t.created_at FROM tickets AS t ORDER BY t.created_at`)
	storetest.Exec(t, url, `INSERT INTO journal (position, type, occurred_at, actor_kind, ticket_id, data)
		SELECT row_number() OVER (ORDER BY t.created_at), 'ticket.created', t.created_at, 'system', t.id, jsonb_build_object('x', repeat('x', 500))
		FROM tickets AS t WHERE t.created_at > now() - interval '60 days' ORDER BY t.created_at`)
	storetest.Exec(t, url, "VACUUM ANALYZE")
	for _, by := range []string{"day", "team", "agent"} {
		plan := storetest.Explain(t, url, "reports.sql", "ListReportGroups", map[string]string{
			"begins": "(now() - interval '2 days')", "ends": "(now() - interval '1 day')", "group_by": "'" + by + "'", "max_rows": "1001",
		})
		require.NotRegexp(t, `Seq Scan on (tickets|ai_responses|journal\w*)\b`, plan)
		require.NotRegexp(t, `Rows Removed by (Filter|Index Recheck): \d{4}`, plan)
	}
}
