package writer

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// addEnded creates responses that failed this many days ago, with their events, each in a ticket of its own.
func addEnded(t *testing.T, url string, count, days int) {
	t.Helper()
	storetest.Exec(t, url, `
		WITH customer AS (
			INSERT INTO users (id, email, password_hash, role) VALUES (gen_random_uuid(), gen_random_uuid() || '@example.com', 'x', 'user')
			RETURNING id
		), about AS (
			INSERT INTO tickets (id, user_id, title, description)
			SELECT gen_random_uuid(), customer.id, 'x', 'x' FROM customer, generate_series(1, $1) RETURNING id
		), ended AS (
			INSERT INTO ai_responses (id, ticket_id, status, model, last_seq, error_code, owner_id, lease_expires_at, finished_at)
			SELECT gen_random_uuid(), about.id, 'failed', 'm', 1, 'ai_timeout', gen_random_uuid(), now(), now() - make_interval(days => $2)
			FROM about RETURNING id
		)
		INSERT INTO ai_response_events (ai_response_id, seq, kind, attempt, content)
		SELECT id, 1, 'failed', 1, 'ai_timeout' FROM ended`, count, days)
}

func newSweeper(t *testing.T) (s *sweeper, url string) {
	t.Helper()
	url, lent := storetest.Lend(t)
	return &sweeper{store: lent}, url
}

func TestSweepSkipsFailingResponsesAndHasNoAgeLimit(t *testing.T) {
	t.Parallel()
	s, url := newSweeper(t)
	events := func() int { return storetest.QueryInt(t, url, "SELECT count(*) FROM ai_response_events") }
	addEnded(t, url, 3*maxSwept, 30)
	addEnded(t, url, 1, 2)
	addEnded(t, url, 1, 0)
	storetest.Exec(t, url, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$`)
	bad := storetest.QueryText(t, url, "SELECT id::text FROM ai_responses ORDER BY finished_at, id LIMIT 1 OFFSET 7")
	storetest.Exec(t, url, fmt.Sprintf(`CREATE TRIGGER refuse BEFORE DELETE ON ai_response_events FOR EACH ROW
		WHEN (OLD.ai_response_id = '%s') EXECUTE FUNCTION refuse()`, bad))

	require.Error(t, s.sweep(t.Context()))
	require.Equal(t, 2, events(), "the failing one and the new one are left")
	storetest.Exec(t, url, "DROP TRIGGER refuse ON ai_response_events")
	require.NoError(t, s.sweep(t.Context()))
	require.Equal(t, 1, events(), "the next sweep retries it")
}

func TestTwoSweepsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	s, url := newSweeper(t)
	addEnded(t, url, 2, 2)
	storetest.Lock(t, url, "ai_responses") // Like the sweep of another replica.
	require.NoError(t, s.sweep(t.Context()))
	require.Equal(t, 2, storetest.QueryInt(t, url, "SELECT count(*) FROM ai_response_events"))
}

// The cost of a sweep must depend on what there is to sweep, not on earlier sweeps.
func TestSweepReadsOnlyWhatHasEvents(t *testing.T) {
	t.Parallel()
	s, url := newSweeper(t)
	addEnded(t, url, 5000, 2)
	require.NoError(t, s.sweep(t.Context()))
	storetest.Exec(t, url, "ANALYZE ai_responses")
	plan := storetest.Explain(t, url, "ai_responses.sql", "ListSweepableAIResponses", map[string]string{
		"retention_seconds": "86400", "after_finished_at": "'-infinity'", "after_id": "'00000000-0000-0000-0000-000000000000'", "max_rows": "50",
	})
	require.Contains(t, plan, "ai_responses_finished_at_id_idx")
	require.NotContains(t, plan, "Seq Scan")
}
