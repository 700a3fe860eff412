package team_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/team"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// Tickets do not wait for somebody who is gone. Resolved tickets keep their assignee.
func TestTicketsOfStaffWhoAreGoneAreUnassigned(t *testing.T) {
	t.Parallel()
	url, s := storetest.Lend(t)
	storetest.Exec(t, url, `WITH account AS (
			INSERT INTO users (id, email, password_hash, role, disabled_at)
			SELECT gen_random_uuid(), name || '@example.com', '!', role::user_role, disabled::timestamptz
			FROM (VALUES ('customer', 'user', NULL), ('present', 'agent', NULL), ('disabled', 'agent', now()), ('demoted', 'user', NULL))
				AS v (name, role, disabled)
			RETURNING id, email
		)
		INSERT INTO tickets (id, user_id, assignee_id, title, description, status, resolved_at)
		SELECT gen_random_uuid(), customer.id, staff.id, split_part(staff.email, '@', 1) || ' ' || status, 'x', status::ticket_status,
			CASE WHEN status = 'resolved' THEN now() END
		FROM account AS customer, account AS staff, unnest(ARRAY['open', 'pending', 'resolved']) AS status
		WHERE customer.email LIKE 'customer%' AND staff.email NOT LIKE 'customer%'`)
	require.NoError(t, team.NewService(s).Unassign(t.Context()))
	require.Equal(t, "demoted open, demoted pending, disabled open, disabled pending", storetest.QueryText(t, url,
		"SELECT string_agg(title, ', ' ORDER BY title) FROM tickets WHERE assignee_id IS NULL"))
	require.Equal(t, "4 entries by system", storetest.QueryText(t, url, `SELECT count(*) || ' entries by ' || string_agg(DISTINCT actor_kind::text, ' ')
		FROM journal_outbox JOIN users ON users.id::text = data #>> '{assignee_id,from}' AND data #>> '{assignee_id,to}' IS NULL
		WHERE type = 'ticket.assigned'`))
}

// The task runs every minute, and there is hardly ever a deleted team.
func TestDetachingTeamsReadsNoOtherTickets(t *testing.T) {
	t.Parallel()
	url, _ := storetest.Lend(t)
	storetest.Exec(t, url, `WITH customer AS (
			INSERT INTO users (id, email, password_hash, role) VALUES (gen_random_uuid(), 'many@example.com', '!', 'user') RETURNING id
		), agent AS (
			INSERT INTO users (id, email, password_hash, role) VALUES (gen_random_uuid(), 'agent@example.com', '!', 'agent') RETURNING id
		), created AS (
			INSERT INTO teams (id, name) SELECT gen_random_uuid(), 'Team ' || n FROM generate_series(1, 2) AS n RETURNING id
		)
		INSERT INTO tickets (id, user_id, team_id, assignee_id, title, description)
		SELECT gen_random_uuid(), customer.id, created.id, agent.id, 'Many', 'tickets'
		FROM agent, customer, created, generate_series(1, 10000)`)
	storetest.Exec(t, url, "ANALYZE tickets, teams")
	for _, query := range []string{"DetachTickets", "DeleteDetachedTeams", "UnassignTickets"} {
		plan := storetest.Explain(t, url, "teams.sql", query, map[string]string{"max_rows": "100", "skip_rows": "0"})
		require.NotRegexp(t, `actual rows=\d{3,}|Rows Removed by [A-Za-z ]+: \d{3,}`, plan)
	}
}
