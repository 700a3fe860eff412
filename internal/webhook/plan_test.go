package webhook_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/testing/storetest"
)

// However many deliveries are pending, and whether PostgreSQL knows or not, those that were attempted are looked up by their ids.
func TestRecordingAttemptsReadsNoOtherDeliveries(t *testing.T) {
	t.Parallel()
	const pending, attempted = 10_000, 20
	url := storetest.NewURL(t)
	storetest.Exec(t, url, `INSERT INTO webhooks (id, url, types, payload, secret)
		VALUES ($1, 'https://example.com/', '{}', 'thin', 'x')`, uuid.New())
	add := func(times int, status string) {
		storetest.Exec(t, url, `INSERT INTO webhook_deliveries (id, webhook_id, type, status, next_attempt_at, finished_at)
			SELECT gen_random_uuid(), w.id, 'webhook.test', $2::webhook_delivery_status,
				CASE WHEN $2 = 'pending' THEN now() END, CASE WHEN $2 <> 'pending' THEN now() END
			FROM webhooks AS w CROSS JOIN generate_series(1, $1::integer)`, times, status)
	}
	explain := func() string {
		ids := storetest.QueryText(t, url, `SELECT array_agg(id)::text FROM (
			SELECT id FROM webhook_deliveries WHERE status = 'pending' LIMIT $1) AS d`, attempted)
		array := func(value string) string { return "'{" + strings.Repeat(value+",", attempted-1) + value + "}'" }
		return storetest.Explain(t, url, "webhooks.sql", "RecordWebhookAttempts", map[string]string{
			"delivery_ids": "'" + ids + "'", "started_at": array("2026-11-26"), "durations_ms": array("1"), "statuses": array("200"),
			"errors": array(`""`), "responses": array(`"ok"`), "outcomes": array("delivered"), "waits_seconds": array("0"),
		})
	}
	check := func(plan string) {
		require.NotContains(t, plan, "Seq Scan on webhook_deliveries", plan)
		require.Contains(t, plan, "Index Scan using webhook_deliveries_pkey on webhook_deliveries", plan)
		require.NotRegexp(t, `Scan using webhook_deliveries_(due|pending)`, plan)
		require.NotRegexp(t, `Rows Removed by (Join )?Filter: \d{2,}`, plan)
	}
	add(pending, "delivered")
	storetest.Exec(t, url, "VACUUM ANALYZE")
	add(pending, "pending") // The statistics know of none.
	check(explain())
	storetest.Exec(t, url, "VACUUM ANALYZE")
	check(explain())
}
