package team_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// The task runs every minute, and there is hardly ever a deleted team.
func TestDetachingTeamsReadsNoOtherTickets(t *testing.T) {
	t.Parallel()
	url, _ := storetest.Lend(t)
	storetest.Exec(t, url, `WITH customer AS (
			INSERT INTO users (id, email, password_hash, role) VALUES (gen_random_uuid(), 'many@example.com', '!', 'user') RETURNING id
		), created AS (
			INSERT INTO teams (id, name) SELECT gen_random_uuid(), 'Team ' || n FROM generate_series(1, 2) AS n RETURNING id
		)
		INSERT INTO tickets (id, user_id, team_id, title, description)
		SELECT gen_random_uuid(), customer.id, created.id, 'Many', 'tickets'
		FROM customer, created, generate_series(1, 10000)`)
	storetest.Exec(t, url, "ANALYZE tickets, teams")
	for _, query := range []string{"DetachTickets", "DeleteDetachedTeams"} {
		plan := storetest.Explain(t, url, "teams.sql", query, map[string]string{"max_rows": "100", "skip_rows": "0"})
		require.NotRegexp(t, `actual rows=\d{3,}|Rows Removed by [A-Za-z ]+: \d{3,}`, plan)
	}
}
