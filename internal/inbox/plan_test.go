package inbox

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/auth"
	"github.com/supportbackend/support/internal/page"
	"github.com/supportbackend/support/internal/testing/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var (
	planRows = regexp.MustCompile(`(?m)^\s*(?:->\s+)?(.*?) +\(actual rows=(\d+) loops=(\d+)\)`)
	scans    = regexp.MustCompile(`Scan (?:Backward )?(?:using \w+ )?on (?:tickets|ticket_tags)\b`)
)

// requireBounded checks that a plan reads tickets only through indexes, and at most most of them in each node.
func requireBounded(t *testing.T, plan string, most int) {
	t.Helper()
	require.NotContains(t, plan, "Seq Scan on tickets", plan)
	for _, node := range planRows.FindAllStringSubmatch(plan, -1) {
		rows, err := strconv.Atoi(node[2])
		require.NoError(t, err)
		if strings.HasPrefix(node[1], "Sort") || scans.MatchString(node[1]) {
			require.LessOrEqual(t, rows, most, "%s\n%s", node[1], plan)
		}
	}
	require.NotRegexp(t, `Rows Removed by Filter: \d{4}`, plan)
}

// literals returns the parameters of a query as SQL literals, by their names in SQL.
func literals(t *testing.T, params any) map[string]string {
	t.Helper()
	all := make(map[string]string)
	v := reflect.ValueOf(params)
	for i := range v.NumField() {
		all[snake(v.Type().Field(i).Name)] = literal(t, v.Field(i))
	}
	return all
}

func literal(t *testing.T, v reflect.Value) string {
	t.Helper()
	switch value := v.Interface().(type) {
	case time.Time:
		return "'" + value.Format(time.RFC3339Nano) + "'"
	case uuid.UUID:
		return "'" + value.String() + "'"
	case []uuid.UUID:
		ids := make([]string, len(value))
		for i, id := range value {
			ids[i] = id.String()
		}
		return "'{" + strings.Join(ids, ",") + "}'"
	case []string:
		return "'{" + strings.Join(value, ",") + "}'"
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "NULL"
		}
		return literal(t, v.Elem())
	case reflect.String:
		return "'" + v.String() + "'"
	default:
		return fmt.Sprint(v.Interface())
	}
}

// snake returns the SQL name of a Go field.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// With any filters and sort, the inbox is read through an index, and only the tickets that were read are sorted.
func TestInboxReadsABoundedNumberOfTickets(t *testing.T) {
	t.Parallel()
	const walked = 100 // The same share of these few tickets as 1,000 of 100,000. The tickets are as long as real ones.
	url := storetest.NewURL(t)
	customer, me, team := uuid.New(), uuid.New(), uuid.New()
	storetest.Exec(t, url, `INSERT INTO users (id, email, password_hash, role)
		VALUES ($1, 'c@example.com', '!', 'user'), ($2, 'a@example.com', '!', 'agent')`, customer, me)
	storetest.Exec(t, url, "INSERT INTO teams (id, name) VALUES ($1, 'A team')", team)
	storetest.Exec(t, url, "ALTER TABLE tickets DISABLE TRIGGER tickets_search")
	storetest.Exec(t, url, "ALTER TABLE tickets DISABLE TRIGGER tickets_sla")
	storetest.Exec(t, url, `INSERT INTO tickets (id, user_id, title, description, created_at, status, priority, assignee_id, team_id,
			tags, waiting_since, resolved_at, snoozed_until)
		SELECT gen_random_uuid(), $1, n::text, repeat('x', 1500), now() - n * interval '1 minute',
			CASE WHEN n % 4 = 0 THEN 'open' ELSE 'closed' END::ticket_status,
			(ARRAY['urgent', 'high', 'normal', 'low'])[1 + n % 3]::ticket_priority,
			CASE WHEN n % 3 = 0 THEN $2::uuid END, CASE WHEN n % 5 = 0 THEN $3::uuid END,
			CASE WHEN n % 3 = 0 THEN '{vip}'::text[] ELSE '{}' END,
			CASE WHEN n % 4 = 0 THEN now() END, CASE WHEN n % 4 <> 0 THEN now() END, CASE WHEN n % 40 = 0 THEN now() END
		FROM generate_series(1, 10000) AS n`, customer, me, team)
	storetest.Exec(t, url, `UPDATE tickets SET ai_mode = 'off', handoff_reason = 'other', handed_off_at = now() WHERE title::integer % 5 = 0`)
	storetest.Exec(t, url, `INSERT INTO ai_responses (id, ticket_id, model, lease_expires_at, status, content, finish_reason, finished_at, review, created_at)
		SELECT gen_random_uuid(), t.id, 'a-model', now(), CASE WHEN t.title::integer % 100 = 0 THEN 'streaming' ELSE 'completed' END::ai_response_status,
			CASE WHEN t.title::integer % 100 <> 0 THEN 'A draft' END, CASE WHEN t.title::integer % 100 <> 0 THEN 'stop' END,
			CASE WHEN t.title::integer % 100 <> 0 THEN now() END, CASE WHEN t.title::integer % 100 = 1 THEN 'pending' END::ai_review, t.created_at
		FROM tickets AS t WHERE t.title::integer % 100 <> 1 OR t.title::integer < 5000`)
	storetest.Exec(t, url, "VACUUM ANALYZE")

	text, yes, low, off := "vip", true, sqlc.TicketPriorityLow, sqlc.AIModeOff
	mine, ours := nullable.NewNullableWithValue(me), nullable.NewNullableWithValue(team)
	nobody := nullable.NewNullNullable[uuid.UUID]()
	long := time.Now().Add(-24 * time.Hour)
	actor := auth.Actor{ID: me, Role: auth.RoleAgent}
	filters := []Filter{
		{},
		{Status: sqlc.TicketStatusClosed},
		{Unresolved: true},
		{Assignee: mine},
		{Assignee: nobody},
		{Assignee: nobody, Unresolved: true},
		{Team: ours},
		{Team: nobody},
		{Tag: &text},
		{Tag: &text, Status: sqlc.TicketStatusClosed},
		{Requester: &customer},
		{ExternalID: &text},
		{Priority: &low},
		{AIMode: &off},
		{AIState: AIAnswering},
		{AIState: AINeedsReview},
		{AIState: AIHandedOff},
		{Text: "common"},
		{Snoozed: &yes},
		{Created: Range{To: &long}},
		{Updated: Range{To: &long}},
		{Waiting: Range{To: &long}},
		{Assignee: mine, Priority: &low, Tag: &text},
	}
	for _, sort := range []Sort{SortNewest, SortWaiting, SortPriority} {
		for _, f := range filters {
			f.Sort = sort
			params := f.params(actor, page.Page{Limit: 50, After: &page.Position{CreatedAt: long, Rank: 1}})
			params.MaxWalked = min(params.MaxWalked, walked)
			if f.Text != "" {
				params.Found = []uuid.UUID{uuid.New(), uuid.New()}
			}
			plan := storetest.ExplainAll(t, url, "staff_tickets.sql", "ListStaffTickets", literals(t, params))
			most := int(params.MaxWalked)
			if f.AIState == AIAnswering || f.AIState == AINeedsReview {
				most = walked // These walks sort all tickets in the state.
			}
			requireBounded(t, plan, most)
		}
	}
	plan := storetest.Explain(t, url, "staff_tickets.sql", "CountStaffTickets",
		map[string]string{"assignee_id": "'" + me.String() + "'", "max_counted": "100"})
	requireBounded(t, plan, walked)
}
